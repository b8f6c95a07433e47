<?php

// What static analysis must know of FFI, besides what it knows: the functions of userengage.ffi.h.

declare(strict_types=1);

namespace {
    final class FFI
    {
        public function ue_version(): string {}
        public function ue_client_new(string $api_key, FFI\CData $options, FFI\CData $result): ?FFI\CData {}
        public function ue_send_conversation(?FFI\CData $client, FFI\CData $message, FFI\CData $result): int {}
        public function ue_queue_new(?FFI\CData $client, FFI\CData $options, FFI\CData $result): ?FFI\CData {}
        public function ue_queue_push(FFI\CData $queue, FFI\CData $message, FFI\CData $result): int {}
        public function ue_queue_take(?FFI\CData $queue, FFI\CData $results, int $most): int {}
        public function ue_queue_cancel(?FFI\CData $queue, FFI\CData $user_data): int {}
        public function ue_queue_poll(?FFI\CData $queue, int $timeout_ms): int {}
        public function ue_queue_stop(?FFI\CData $queue): void {}
        public function ue_queue_free(?FFI\CData $queue): void {}
        public function ue_client_close(?FFI\CData $client): void {}
        public function ue_free(?FFI\CData $client): void {}
        public function ue_result_read(FFI\CData $result, FFI\CData $outcome): bool {}
        public function ue_result_user_data(FFI\CData $result): FFI\CData {}
        public function ue_result_free(FFI\CData $result): void {}
    }
}

namespace FFI {
    final class CData
    {
        public function __get(string $name): mixed {}
        public function __set(string $name, mixed $value): void {}
    }
}
