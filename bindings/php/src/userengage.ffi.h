#define FFI_SCOPE "USERENGAGE"
#define FFI_LIB "libuserengage.so.0"
// Made from the code, as include/userengage.h is, in the form that PHP's FFI reads. Do not edit.

typedef enum ue_status {
  UE_OK = 0,
  UE_INVALID_ARGUMENT = 1,
  UE_CONNECT = 2,
  UE_TLS = 3,
  UE_TIMEOUT = 4,
  UE_CONNECTION_LOST = 5,
  UE_BAD_REPLY = 6,
  UE_UNAUTHORIZED = 7,
  UE_NOT_FOUND = 8,
  UE_REJECTED = 9,
  UE_RATE_LIMITED = 10,
  UE_SERVER_ERROR = 11,
  UE_CLOSED = 12,
  UE_CANCELLED = 13,
  UE_INTERNAL = 14,
} ue_status;

typedef enum ue_delivery {
  UE_DELIVERY_UNKNOWN = 0,
  UE_NOT_DELIVERED = 1,
  UE_DELIVERED = 2,
} ue_delivery;

typedef struct ue_client ue_client;

typedef struct ue_result ue_result;

typedef void (*ue_log_fn)(void *user_data, int32_t level, const char *text);

typedef int32_t (*ue_interrupt_fn)(void *user_data);

typedef struct ue_options {
  size_t struct_size;
  const char *base_url;
  int32_t api_version;
  int32_t delivery_policy;
  uint32_t max_attempts;
  uint32_t connect_timeout_ms;
  uint32_t timeout_ms;
  uint32_t max_per_second;
  uint32_t max_connections;
  const char *proxy;
  const char *ca_file;
  const char *user_agent;
  ue_log_fn log;
  void *log_user_data;
  int32_t log_level;
  ue_interrupt_fn interrupt;
  void *interrupt_user_data;
} ue_options;

typedef struct ue_message {
  size_t struct_size;
  const char *client_user_id;
  const char *content;
  int64_t user;
  int32_t source;
  const char *source_context;
  size_t client_user_id_length;
  size_t content_length;
  size_t source_context_length;
} ue_message;

typedef int32_t (*ue_progress_fn)(void *user_data, size_t done, size_t count);

typedef struct ue_outcome {
  size_t struct_size;
  int32_t status;
  int32_t delivery;
  int32_t http_status;
  uint32_t attempts;
  bool may_be_duplicate;
  int64_t conversation_id;
  int64_t retry_after_ms;
  uint64_t elapsed_us;
  const char *request_id;
  const char *detail;
  const char *message;
  const char *body;
  size_t request_id_length;
  size_t detail_length;
  size_t message_length;
  size_t body_length;
} ue_outcome;

struct ue_client *ue_client_new(const char *api_key,
                                const struct ue_options *options,
                                struct ue_result **result);

enum ue_status ue_send_conversation(struct ue_client *client,
                                    const struct ue_message *message,
                                    struct ue_result **result);

enum ue_status ue_send_conversations(struct ue_client *client,
                                     const struct ue_message *messages,
                                     size_t count,
                                     ue_progress_fn progress,
                                     void *progress_user_data,
                                     struct ue_result **results);

void ue_client_close(struct ue_client *client);

void ue_free(struct ue_client *client);

enum ue_status ue_result_status(const struct ue_result *result);

enum ue_delivery ue_result_delivery(const struct ue_result *result);

bool ue_result_may_be_duplicate(const struct ue_result *result);

int32_t ue_result_http_status(const struct ue_result *result);

int64_t ue_result_conversation_id(const struct ue_result *result);

int64_t ue_result_retry_after_ms(const struct ue_result *result);

uint32_t ue_result_attempts(const struct ue_result *result);

uint64_t ue_result_elapsed_us(const struct ue_result *result);

const char *ue_result_request_id(const struct ue_result *result);

const char *ue_result_detail(const struct ue_result *result);

const char *ue_result_message(const struct ue_result *result);

const char *ue_result_body(const struct ue_result *result, size_t *length);

bool ue_result_read(const struct ue_result *result, struct ue_outcome *outcome);

void ue_result_free(struct ue_result *result);

const char *ue_status_name(int32_t status);

const char *ue_version(void);
