#define FFI_SCOPE "USERENGAGE"
#define FFI_LIB "libuserengage.so.0.1"
// Made from the code, as include/userengage.h is, in the form that PHP's FFI reads. Do not edit.
typedef int ue_fd;

typedef int32_t ue_status;
enum {
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
  UE_QUEUE_FULL = 15,
  UE_SUSPENDED = 16
};

typedef int32_t ue_delivery;
enum {
  UE_DELIVERY_UNKNOWN = 100,
  UE_NOT_DELIVERED = 101,
  UE_DELIVERED = 102
};

typedef int32_t ue_retry;
enum {
  UE_RETRY_DECIDE = 200,
  UE_RETRY_LATER = 201,
  UE_RETRY_NEVER = 202
};

typedef int32_t ue_api_version;
enum {
  UE_API_VERSION_SPECIFICATION = 0,
  UE_API_VERSION_2 = 2
};

typedef int32_t ue_delivery_policy;
enum {
  UE_AT_MOST_ONCE = 0,
  UE_AT_LEAST_ONCE = 1
};

typedef int32_t ue_source;
enum {
  UE_SOURCE_CHAT = 1,
  UE_SOURCE_EMAIL = 2,
  UE_SOURCE_API = 3,
  UE_SOURCE_SMS = 4,
  UE_SOURCE_SLACK = 5
};

typedef int32_t ue_log_level;
enum {
  UE_LOG_OFF = 0,
  UE_LOG_ERROR = 1,
  UE_LOG_WARN = 2,
  UE_LOG_INFO = 3,
  UE_LOG_DEBUG = 4,
  UE_LOG_TRACE = 5
};

typedef int32_t ue_batch_flow;
enum {
  UE_BATCH_CONTINUE = 0,
  UE_BATCH_FINISH = 1,
  UE_BATCH_ABORT = 2
};

typedef int32_t ue_timeout_from;
enum {
  UE_TIMEOUT_FROM_TURN = 0,
  UE_TIMEOUT_FROM_PUSH = 1
};

typedef struct ue_cancel ue_cancel;

typedef struct ue_client ue_client;

typedef struct ue_queue ue_queue;

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
  uint32_t timeout_ms;
  struct ue_cancel *cancel;
  void *user_data;
} ue_message;

typedef int32_t (*ue_on_result_fn)(void *user_data, size_t index, const struct ue_result *result);

typedef struct ue_batch_options {
  size_t struct_size;
  ue_on_result_fn on_result;
  void *user_data;
  uint32_t max_failures_in_a_row;
  struct ue_cancel *cancel;
} ue_batch_options;

typedef struct ue_queue_options {
  size_t struct_size;
  uint32_t capacity;
  uint32_t max_failures_in_a_row;
  int32_t timeout_from;
} ue_queue_options;

typedef struct ue_outcome {
  size_t struct_size;
  ue_status status;
  ue_delivery delivery;
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
  ue_retry retry;
  void *user_data;
} ue_outcome;

struct ue_client *ue_client_new(const char *api_key,
                                const struct ue_options *options,
                                struct ue_result **result);

ue_status ue_send_conversation(struct ue_client *client,
                               const struct ue_message *message,
                               struct ue_result **result);

ue_status ue_send_conversations(struct ue_client *client,
                                const struct ue_message *messages,
                                size_t count,
                                const struct ue_batch_options *options,
                                struct ue_result **results);

void ue_client_close(struct ue_client *client);

void ue_free(struct ue_client *client);

struct ue_cancel *ue_cancel_new(struct ue_result **result);

void ue_cancel_trigger(struct ue_cancel *cancel);

void ue_cancel_free(struct ue_cancel *cancel);

struct ue_queue *ue_queue_new(struct ue_client *client,
                              const struct ue_queue_options *options,
                              struct ue_result **result);

ue_status ue_queue_push(struct ue_queue *queue, const struct ue_message *message, struct ue_result **result);

ue_fd ue_queue_fd(struct ue_queue *queue);

ue_status ue_queue_poll(struct ue_queue *queue, uint32_t timeout_ms);

size_t ue_queue_take(struct ue_queue *queue, struct ue_result **results, size_t most);

size_t ue_queue_cancel(struct ue_queue *queue, void *user_data);

ue_status ue_queue_wait(struct ue_queue *queue, uint32_t timeout_ms);

void ue_queue_stop(struct ue_queue *queue);

void ue_queue_resume(struct ue_queue *queue);

void ue_queue_free(struct ue_queue *queue);

ue_status ue_result_status(const struct ue_result *result);

ue_delivery ue_result_delivery(const struct ue_result *result);

ue_retry ue_result_retry(const struct ue_result *result);

void *ue_result_user_data(const struct ue_result *result);

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

uint32_t ue_version_number(void);

const char *ue_version(void);
