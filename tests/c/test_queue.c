/* A queue: sending without waiting. */

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include "given.h"

/* Has a user's requests fail or hang so often: `fault` has the fault's name and parameters. */
static void order_for(const char *client_user_id, const char *fault, int times) {
  char text[300];
  snprintf(text, sizeof text, "{%s, \"client_user_id\": \"%s\", \"times\": %d}", fault, client_user_id, times);
  order(text);
}

static const char hang[] = "\"fault\": \"hang\"";
static const char unavailable[] = "\"fault\": \"status\", \"status\": 503";

/* A client with so many connections and one attempt for a message. */
static ue_client *narrow_client(uint32_t connections) {
  ue_options options = sandbox_options();
  options.max_connections = connections;
  options.max_attempts = 1;
  return client_with(&options);
}

static void each_message_gets_its_result_once_with_its_user_data(void) {
  enum { MANY = 300 };
  static const char *const ids[] = {"2100", "2101", "missing-2102"};
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  int times[MANY] = {0};
  for (int i = 0; i < MANY; i++) CHECK_INT(push_to(queue, ids[i % 3], &times[i]), UE_OK);
  for (int taken = 0; taken < MANY;) {
    ue_result *results[7];
    CHECK(is_readable(queue, 60000));
    size_t count = ue_queue_take(queue, results, 7);
    for (size_t i = 0; i < count; i++) {
      const int *of = (const int *)ue_result_user_data(results[i]);
      CHECK(of >= times && of < times + MANY);
      times[of - times]++;
      CHECK_INT(ue_result_status(results[i]), (of - times) % 3 == 2 ? UE_NOT_FOUND : UE_OK);
      ue_result_free(results[i]);
      taken++;
    }
  }
  for (int i = 0; i < MANY; i++) CHECK_INT(times[i], 1);
  CHECK_INT(ue_queue_take(queue, NULL, MANY), 0);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2100") + requests("2101"), 2 * MANY / 3);
}

static void texts_may_be_overwritten_as_soon_as_a_push_returns(void) {
  enum { MANY = 60 };
  ue_client *client = narrow_client(2);
  ue_queue *queue = queue_with(client, NULL);
  char *text = (char *)malloc(64);
  for (int i = 0; i < MANY; i++) {
    snprintf(text, 64, "2105;number %03d", i);
    ue_message *message = (ue_message *)malloc(sizeof *message);
    *message = message_to(text);
    message->client_user_id_length = 4;
    message->content = text + 5;
    CHECK_INT(ue_queue_push(queue, message, NULL), UE_OK);
    memset(text, 'x', 64);
    memset(message, 'x', sizeof *message);
    free(message);
  }
  free(text);
  CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
  ue_queue_free(queue);
  ue_free(client);
  char *entries = journal("2105");
  const char *at = entries;
  for (int i = 0; i < MANY; i++) {
    char content[32];
    snprintf(content, sizeof content, "\"number %03d", i);
    at = strstr(at, content + 1);
    CHECK(at != NULL && "in order");
  }
  free(entries);
}

static void a_push_beyond_the_capacity_is_refused_and_nothing_is_lost(void) {
  order_for("2110", hang, 1);
  ue_client *client = narrow_client(1);
  ue_queue_options options = UE_QUEUE_OPTIONS_INIT;
  options.capacity = 3;
  ue_queue *queue = queue_with(client, &options);
  int users[5];
  CHECK_INT(push_to(queue, "2110", &users[0]), UE_OK); /* in flight */
  await_requests("2110", 1);
  CHECK_INT(push_to(queue, "2111", &users[1]), UE_OK); /* waits */
  CHECK_INT(push_to(queue, "2112", &users[2]), UE_OK);
  CHECK_INT(ue_queue_cancel(queue, &users[2]), 1); /* finished */
  for (int i = 0; i < 3; i++) {
    ue_message message = message_to("2113");
    message.user_data = &users[3];
    ue_result *result = NULL;
    CHECK_INT(ue_queue_push(queue, &message, &result), UE_QUEUE_FULL);
    CHECK_INT(ue_result_status(result), UE_QUEUE_FULL);
    CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
    CHECK_INT(ue_result_retry(result), UE_RETRY_LATER);
    CHECK(ue_result_user_data(result) == &users[3]);
    CHECK_PART(ue_result_message(result), "3 messages");
    ue_result_free(result);
  }
  check_next(queue, &users[2], UE_CANCELLED, UE_NOT_DELIVERED);
  CHECK_INT(push_to(queue, "2113", &users[3]), UE_OK); /* taking made room */
  CHECK_INT(push_to(queue, "2113", &users[4]), UE_QUEUE_FULL);
  CHECK_INT(ue_queue_cancel(queue, &users[0]), 1);
  check_next(queue, &users[0], UE_CANCELLED, UE_DELIVERY_UNKNOWN);
  check_next(queue, &users[1], UE_OK, UE_DELIVERED);
  check_next(queue, &users[3], UE_OK, UE_DELIVERED);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2111"), 1);
  CHECK_INT(requests("2112"), 0);
  CHECK_INT(requests("2113"), 1);
}

static void by_default_ten_thousand_messages_fit(void) {
  order_for("2115", hang, 1);
  ue_client *client = narrow_client(1);
  ue_queue *queue = queue_with(client, NULL);
  for (int i = 0; i < 10000; i++) CHECK_INT(push_to(queue, "2115", NULL), UE_OK);
  CHECK_INT(push_to(queue, "2115", NULL), UE_QUEUE_FULL);
  ue_queue_free(queue);
  ue_free(client);
}

static void the_descriptor_is_readable_exactly_while_something_is_finished(void) {
  order_for("2120", hang, 1);
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  int hanging = 0, users[3];
  CHECK(ue_queue_fd(queue) >= 0);
  CHECK(!is_readable(queue, 0));
  CHECK_INT(ue_queue_take(queue, NULL, 5), 0);
  CHECK_INT(push_to(queue, "2120", &hanging), UE_OK);
  await_requests("2120", 1);
  CHECK(!is_readable(queue, 0));
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 3; i++) CHECK_INT(push_to(queue, "2121", &users[i]), UE_OK);
    await_requests("2121", 3 * round + 3);
    for (int i = 0; i < 3; i++) {
      CHECK(is_readable(queue, 60000));
      CHECK_INT(ue_queue_take(queue, NULL, 0), 0); /* takes nothing, changes nothing */
      check_next(queue, &users[i], UE_OK, UE_DELIVERED);
    }
    CHECK(!is_readable(queue, 0));
    CHECK_INT(ue_queue_take(queue, NULL, 5), 0);
  }
  CHECK_INT(ue_queue_cancel(queue, &hanging), 1);
  CHECK(is_readable(queue, 60000));
  CHECK_INT(ue_queue_take(queue, NULL, 5), 1);
  CHECK(!is_readable(queue, 0));
  ue_queue_free(queue);
  ue_free(client);
}

/* A loop that is told of changes alone has to take until less comes than it asked for. */
static void with_an_edge_triggered_loop_no_result_is_missed(void) {
  enum { MANY = 500, AT_ONCE = 16 };
  static const char *const ids[] = {"2125", "2126", "2127", "2128"};
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  int loop = epoll_create1(EPOLL_CLOEXEC), pushed = 0, taken = 0;
  struct epoll_event event = {0};
  event.events = EPOLLIN | EPOLLET;
  CHECK(loop >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, ue_queue_fd(queue), &event) == 0);
  for (; pushed < 8; pushed++) CHECK_INT(push_to(queue, ids[pushed % 4], NULL), UE_OK);
  while (taken < MANY) {
    CHECK_INT(epoll_wait(loop, &event, 1, 60000), 1);
    ue_result *results[AT_ONCE];
    size_t count;
    do {
      count = ue_queue_take(queue, results, AT_ONCE);
      for (size_t i = 0; i < count; i++, taken++) {
        CHECK_INT(ue_result_status(results[i]), UE_OK);
        ue_result_free(results[i]);
        if (pushed < MANY) CHECK_INT(push_to(queue, ids[pushed++ % 4], NULL), UE_OK);
      }
    } while (count == AT_ONCE);
  }
  CHECK_INT(epoll_wait(loop, &event, 1, 0), 0);
  close(loop);
  ue_queue_free(queue);
  ue_free(client);
}

static void a_message_that_waits_is_cancelled_at_once_and_never_sent(void) {
  order_for("2130", hang, 1);
  ue_client *client = narrow_client(1);
  ue_queue *queue = queue_with(client, NULL);
  int hanging = 0, behind = 0, other = 0, after = 0;
  CHECK_INT(push_to(queue, "2130", &hanging), UE_OK);
  await_requests("2130", 1);
  CHECK_INT(push_to(queue, "2130", &behind), UE_OK); /* to the user of the message in flight */
  CHECK_INT(push_to(queue, "2131", &other), UE_OK);
  CHECK_INT(push_to(queue, "2131", &behind), UE_OK);
  CHECK_INT(push_to(queue, "2131", &after), UE_OK);
  CHECK_INT(ue_queue_cancel(queue, &behind), 2);
  CHECK_INT(ue_queue_take(queue, NULL, 1), 1); /* without waiting */
  check_next(queue, &behind, UE_CANCELLED, UE_NOT_DELIVERED);
  CHECK_INT(ue_queue_cancel(queue, &behind), 0);
  CHECK_INT(ue_queue_cancel(queue, &client), 0); /* no message has it */
  CHECK_INT(ue_queue_cancel(queue, NULL), 0);
  CHECK_INT(ue_queue_cancel(queue, &other), 1);
  check_next(queue, &other, UE_CANCELLED, UE_NOT_DELIVERED);
  CHECK_INT(ue_queue_cancel(queue, &hanging), 1);
  check_next(queue, &hanging, UE_CANCELLED, UE_DELIVERY_UNKNOWN);
  check_next(queue, &after, UE_OK, UE_DELIVERED);
  CHECK_INT(ue_queue_cancel(queue, &after), 0);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2130"), 1);
  CHECK_INT(requests("2131"), 1);
}

static void the_descriptor_is_readable_as_soon_as_a_cancel_returns(void) {
  enum { MANY = 100 };
  order_for("2132", hang, 1);
  ue_client *client = narrow_client(1);
  ue_queue *queue = queue_with(client, NULL);
  int hanging = 0, users[MANY];
  char ids[MANY][16];
  CHECK_INT(push_to(queue, "2132", &hanging), UE_OK);
  await_requests("2132", 1);
  for (int i = 0; i < MANY; i++) {
    snprintf(ids[i], sizeof ids[i], "at-once-%d", i);
    CHECK_INT(push_to(queue, ids[i], &users[i]), UE_OK);
  }
  for (int i = 0; i < MANY; i++) {
    CHECK_INT(ue_queue_cancel(queue, &users[i]), 1);
    CHECK(is_readable(queue, 0));
    CHECK_INT(ue_queue_take(queue, NULL, 5), 1);
    CHECK(!is_readable(queue, 0));
  }
  ue_queue_free(queue);
  ue_free(client);
}

static void a_message_in_flight_is_cancelled_and_the_next_one_begins(void) {
  enum { MANY = 30 };
  order_for("2135", hang, MANY);
  ue_client *client = narrow_client(1);
  ue_queue *queue = queue_with(client, NULL);
  int users[2 * MANY];
  for (int i = 0; i < 2 * MANY; i++) CHECK_INT(push_to(queue, i % 2 ? "2136" : "2135", &users[i]), UE_OK);
  for (int i = 0; i < 2 * MANY; i += 2) {
    await_requests("2135", i / 2 + 1);
    CHECK_INT(ue_queue_cancel(queue, &users[i]), 1);
    check_next(queue, &users[i], UE_CANCELLED, UE_DELIVERY_UNKNOWN);
    check_next(queue, &users[i + 1], UE_OK, UE_DELIVERED);
  }
  ue_queue_free(queue);
  ue_free(client);
}

static void the_cancel_of_a_message_ends_it_in_a_queue_too(void) {
  order_for("2138", hang, 1);
  ue_client *client = narrow_client(1);
  ue_queue *queue = queue_with(client, NULL);
  ue_cancel *cancel = ue_cancel_new(NULL), *freed = ue_cancel_new(NULL);
  ue_message message = message_to("2138");
  message.cancel = cancel;
  CHECK_INT(ue_queue_push(queue, &message, NULL), UE_OK);
  message = message_to("2139");
  message.cancel = cancel;
  CHECK_INT(ue_queue_push(queue, &message, NULL), UE_OK);
  message.cancel = freed;
  CHECK_INT(ue_queue_push(queue, &message, NULL), UE_OK);
  ue_cancel_free(freed); /* as soon as the push has returned */
  await_requests("2138", 1);
  ue_cancel_trigger(cancel);
  check_next(queue, NULL, UE_CANCELLED, UE_DELIVERY_UNKNOWN);
  check_next(queue, NULL, UE_CANCELLED, UE_NOT_DELIVERED);
  check_next(queue, NULL, UE_OK, UE_DELIVERED);
  ue_cancel_free(cancel);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2139"), 1);
}

static int32_t say_stop(void *asked) {
  ++*(int *)asked;
  return 1;
}

static void a_wait_ends_when_all_is_finished_and_takes_nothing(void) {
  order_for("2140", "\"fault\": \"delay\", \"ms\": 200", 1);
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  CHECK_INT(ue_queue_wait(queue, 0), UE_OK);
  CHECK_INT(ue_queue_wait(queue, 1000), UE_OK);
  for (int i = 0; i < 4; i++) CHECK_INT(push_to(queue, "2140", NULL), UE_OK);
  CHECK_INT(ue_queue_wait(queue, 0), UE_TIMEOUT);
  CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
  CHECK_INT(ue_queue_wait(queue, 0), UE_OK);
  CHECK_INT(ue_queue_take(queue, NULL, 10), 4);
  ue_queue_free(queue);
  ue_free(client);
}

static void a_wait_ends_at_its_timeout_or_when_interrupt_says_so(void) {
  order_for("2141", hang, 1);
  int asked = 0;
  ue_options options = sandbox_options();
  options.interrupt = say_stop;
  options.interrupt_user_data = &asked;
  ue_client *client = client_with(&options), *without = sandbox_client();
  ue_queue *queue = queue_with(without, NULL);
  CHECK_INT(push_to(queue, "2141", NULL), UE_OK);
  long long started = now_ms();
  CHECK_INT(ue_queue_wait(queue, 150), UE_TIMEOUT);
  CHECK(now_ms() - started >= 150 && in_time(now_ms() - started, 5000));
  ue_queue_free(queue);
  ue_free(without);

  order_for("2142", hang, 1);
  queue = queue_with(client, NULL);
  CHECK_INT(push_to(queue, "2142", NULL), UE_OK);
  await_requests("2142", 1);
  CHECK_INT(asked, 0); /* messages in a queue are not asked for */
  CHECK_INT(ue_queue_wait(queue, UINT32_MAX), UE_CANCELLED);
  CHECK_INT(asked, 1);
  ue_queue_free(queue);
  ue_free(client);
}

static void a_poll_ends_as_soon_as_something_can_be_taken(void) {
  order_for("2143", hang, 1);
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  CHECK_INT(ue_queue_poll(queue, 0), UE_TIMEOUT);
  CHECK_INT(push_to(queue, "2143", &queue), UE_OK);
  await_requests("2143", 1);
  CHECK_INT(ue_queue_poll(queue, 50), UE_TIMEOUT);
  for (int i = 0; i < 3; i++) CHECK_INT(push_to(queue, "2144", NULL), UE_OK);
  for (int taken = 0; taken < 3; taken++) {
    CHECK_INT(ue_queue_poll(queue, 60000), UE_OK); /* while another message hangs */
    CHECK_INT(ue_queue_poll(queue, 0), UE_OK);
    CHECK_INT(ue_queue_take(queue, NULL, 1), 1);
  }
  CHECK_INT(ue_queue_poll(queue, 0), UE_TIMEOUT);
  CHECK_INT(ue_queue_cancel(queue, &queue), 1);
  CHECK_INT(ue_queue_poll(queue, 60000), UE_OK);
  ue_queue_free(queue);
  ue_free(client);
}

static void a_poll_ends_when_interrupt_says_so(void) {
  order_for("2149", hang, 1);
  int asked = 0;
  ue_options options = sandbox_options();
  options.interrupt = say_stop;
  options.interrupt_user_data = &asked;
  ue_client *client = client_with(&options);
  ue_queue *queue = queue_with(client, NULL);
  CHECK_INT(push_to(queue, "2149", NULL), UE_OK);
  CHECK_INT(ue_queue_poll(queue, UINT32_MAX), UE_CANCELLED);
  CHECK_INT(asked, 1);
  ue_queue_free(queue);
  ue_free(client);
}

static void a_poll_of_a_closed_client_has_the_results_that_the_close_brings(void) {
  order_for("2193", hang, 1);
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  CHECK_INT(push_to(queue, "2193", NULL), UE_OK);
  await_requests("2193", 1);
  ue_client_close(client);
  CHECK_INT(ue_queue_poll(queue, 60000), UE_OK);
  check_next(queue, NULL, UE_CLOSED, UE_DELIVERY_UNKNOWN);
  CHECK_INT(ue_queue_poll(queue, 0), UE_TIMEOUT);
  ue_queue_free(queue);
  ue_free(client);
}

static volatile sig_atomic_t signalled;

static void on_alarm(int number) { signalled = number; }

static int32_t stop_when_signalled(void *unused) {
  (void)unused;
  return signalled != 0;
}

static void a_signal_during_a_poll_has_the_callback_asked_at_once(void) {
  ue_options options = sandbox_options();
  options.interrupt = stop_when_signalled;
  ue_client *client = client_with(&options);
  ue_queue *queue = queue_with(client, NULL);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_alarm;
  const struct itimerval each_5_ms = {{0, 5000}, {0, 5000}}, off = {{0, 0}, {0, 0}};
  for (int i = 0; i < 2; i++) {
    action.sa_flags = i ? SA_RESTART : 0;
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    signalled = 0;
    /* Too short for the callback to be asked without a signal. A busy machine may need more than one. */
    CHECK_INT(ue_queue_poll(queue, 50), UE_TIMEOUT);
    CHECK(setitimer(ITIMER_REAL, &each_5_ms, NULL) == 0);
    ue_status status = UE_TIMEOUT;
    for (int round = 0; round < 20 && status == UE_TIMEOUT; round++) status = ue_queue_poll(queue, 50);
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
    CHECK_INT(status, UE_CANCELLED);
  }
  ue_queue_free(queue);
  ue_free(client);
}

static void after_a_stop_what_is_in_flight_goes_on_and_no_more_is_begun(void) {
  order_for("2145", "\"fault\": \"delay\", \"ms\": 200", 1);
  ue_client *client = narrow_client(1);
  ue_queue *queue = queue_with(client, NULL);
  int in_flight = 0, waiting = 0;
  CHECK_INT(push_to(queue, "2145", &in_flight), UE_OK);
  for (int i = 0; i < 3; i++) CHECK_INT(push_to(queue, i ? "2145" : "2146", &waiting), UE_OK);
  await_requests("2145", 1);
  ue_queue_stop(queue);
  ue_queue_stop(queue);
  for (int i = 0; i < 3; i++) check_next(queue, &waiting, UE_CANCELLED, UE_NOT_DELIVERED);
  ue_message message = message_to("2146");
  ue_result *result = NULL;
  CHECK_INT(ue_queue_push(queue, &message, &result), UE_CLOSED);
  CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
  CHECK_PART(ue_result_message(result), "stopped");
  ue_result_free(result);
  ue_queue_resume(queue); /* does not take back a stop */
  CHECK_INT(push_to(queue, "2146", NULL), UE_CLOSED);
  CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
  check_next(queue, &in_flight, UE_OK, UE_DELIVERED);
  ue_queue_free(queue);
  CHECK_INT(send_to(client, "2146"), UE_OK); /* the client is not closed by it */
  ue_free(client);
  CHECK_INT(requests("2145"), 1);
  CHECK_INT(requests("2146"), 1);
}

static void too_many_failures_in_a_row_suspend_a_queue_until_it_is_resumed(void) {
  enum { MOST = 3, MANY = 10 };
  order_for("2150", unavailable, MOST);
  ue_client *client = narrow_client(1);
  ue_queue_options options = UE_QUEUE_OPTIONS_INIT;
  options.max_failures_in_a_row = MOST;
  ue_queue *queue = queue_with(client, &options);
  int users[MANY];
  order_for("2151", hang, 1);
  CHECK_INT(push_to(queue, "2151", NULL), UE_OK); /* so that all of them wait */
  await_requests("2151", 1);
  for (int i = 0; i < MANY; i++) CHECK_INT(push_to(queue, "2150", &users[i]), UE_OK);
  CHECK_INT(ue_queue_cancel(queue, NULL), 1); /* counts neither as a failure nor as a success */
  check_next(queue, NULL, UE_CANCELLED, UE_DELIVERY_UNKNOWN);
  for (int i = 0; i < MOST; i++) check_next(queue, &users[i], UE_SERVER_ERROR, UE_DELIVERY_UNKNOWN);
  for (int i = MOST; i < MANY; i++) {
    ue_result *result = take_one(queue);
    CHECK_INT(ue_result_status(result), UE_SUSPENDED);
    CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
    CHECK_INT(ue_result_retry(result), UE_RETRY_LATER);
    CHECK_PART(ue_result_message(result), "503");
    ue_result_free(result);
  }
  ue_message message = message_to("2150");
  ue_result *result = NULL;
  CHECK_INT(ue_queue_push(queue, &message, &result), UE_SUSPENDED);
  CHECK_PART(ue_result_message(result), "503");
  ue_result_free(result);
  CHECK_INT(ue_queue_wait(queue, 0), UE_OK);
  ue_queue_resume(queue);
  for (int i = 0; i < MANY; i++) CHECK_INT(push_to(queue, "2150", &users[i]), UE_OK);
  for (int i = 0; i < MANY; i++) check_next(queue, &users[i], UE_OK, UE_DELIVERED);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2150"), MOST + MANY);
}

static void a_success_lets_as_many_begin_as_before(void) {
  enum { CONNECTIONS = 4 };
  order_for("2155", unavailable, 2);
  order_for("2156", "\"fault\": \"delay\", \"ms\": 100", 1);
  ue_client *client = narrow_client(CONNECTIONS);
  ue_queue_options options = UE_QUEUE_OPTIONS_INIT;
  options.max_failures_in_a_row = 3;
  ue_queue *queue = queue_with(client, &options);
  for (int i = 0; i < 2; i++) {
    CHECK_INT(push_to(queue, "2155", NULL), UE_OK);
    check_next(queue, NULL, UE_SERVER_ERROR, UE_DELIVERY_UNKNOWN);
  }
  /* After two failures one message alone is in flight; after its success all connections hang at once. */
  static const char *const ids[CONNECTIONS] = {"2157", "2158", "2159", "2160"};
  CHECK_INT(push_to(queue, "2156", NULL), UE_OK);
  for (int i = 0; i < CONNECTIONS; i++) {
    order_for(ids[i], hang, 1);
    CHECK_INT(push_to(queue, ids[i], &options), UE_OK);
  }
  check_next(queue, NULL, UE_OK, UE_DELIVERED);
  for (int i = 0; i < CONNECTIONS; i++) await_requests(ids[i], 1);
  CHECK_INT(ue_queue_cancel(queue, &options), CONNECTIONS);
  for (int i = 0; i < CONNECTIONS; i++) check_next(queue, &options, UE_CANCELLED, UE_DELIVERY_UNKNOWN);
  ue_queue_free(queue);
  ue_free(client);
}

/* Frees or closes the client while one message is in flight and two wait, with the queue freed before or after it. */
static void check_closed(const char *client_user_id, int frees) {
  order_for(client_user_id, hang, 1);
  ue_client *client = narrow_client(1);
  ue_queue *queue = queue_with(client, NULL);
  int in_flight = 0, waiting = 0;
  CHECK_INT(push_to(queue, client_user_id, &in_flight), UE_OK);
  await_requests(client_user_id, 1);
  for (int i = 0; i < 2; i++) CHECK_INT(push_to(queue, i ? "2166" : client_user_id, &waiting), UE_OK);
  frees ? ue_free(client) : ue_client_close(client);
  check_next(queue, &in_flight, UE_CLOSED, UE_DELIVERY_UNKNOWN);
  for (int i = 0; i < 2; i++) check_next(queue, &waiting, UE_CLOSED, UE_NOT_DELIVERED);
  CHECK_INT(push_to(queue, "2166", NULL), UE_CLOSED);
  CHECK_INT(ue_queue_wait(queue, 0), UE_OK);
  if (!frees) {
    ue_result *result = NULL;
    CHECK(ue_queue_new(client, NULL, &result) == NULL);
    CHECK_INT(ue_result_status(result), UE_CLOSED);
    ue_result_free(result);
    ue_free(client);
  }
  ue_queue_free(queue);
  CHECK_INT(requests("2166"), 0);
}

static void closing_the_client_ends_the_messages_of_its_queues(void) { check_closed("2165", 0); }

static void the_client_may_be_freed_before_its_queue(void) { check_closed("2167", 1); }

static void a_queue_freed_with_work_in_it_ends_what_is_in_flight(void) {
  order_for("2170", hang, 8);
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  char ids[8][16];
  for (int i = 0; i < 8; i++) {
    snprintf(ids[i], sizeof ids[i], "freed-%d", i);
    order_for(ids[i], hang, 1);
    CHECK_INT(push_to(queue, ids[i], NULL), UE_OK);
  }
  for (int i = 0; i < 8; i++) await_requests(ids[i], 1);
  for (int i = 0; i < 100; i++) CHECK_INT(push_to(queue, "2171", NULL), UE_OK);
  long long started = now_ms();
  ue_queue_free(queue);
  CHECK(in_time(now_ms() - started, 5000));
  CHECK_INT(send_to(client, "2172"), UE_OK);
  ue_free(client);
  CHECK_INT(requests("2171"), 0);
}

static void results_that_nobody_took_are_freed_with_the_queue(void) {
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  for (int i = 0; i < 20; i++) CHECK_INT(push_to(queue, i % 2 ? "2175" : "missing-2175", NULL), UE_OK);
  CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
  CHECK_INT(ue_queue_take(queue, NULL, 5), 5);
  ue_queue_free(queue);
  ue_free(client);
}

static void a_result_outlives_its_queue(void) {
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  CHECK_INT(push_to(queue, "missing-2176", client), UE_OK);
  ue_result *result = take_one(queue);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_TEXT(ue_result_detail(result), "Not found.");
  ue_result_free(result);
}

static void the_result_of_a_push_says_that_it_was_accepted(void) {
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  ue_message message = message_to("2178");
  message.user_data = &message;
  ue_result *result = (ue_result *)&message; /* overwritten, never read */
  CHECK_INT(ue_queue_push(queue, &message, &result), UE_OK);
  CHECK_INT(ue_result_status(result), UE_OK);
  CHECK_INT(ue_result_retry(result), UE_RETRY_NEVER); /* not again: its own result says what became of it */
  CHECK(ue_result_user_data(result) == &message);
  CHECK_TEXT(ue_result_message(result), "");
  ue_result_free(result);
  check_next(queue, &message, UE_OK, UE_DELIVERED);
  ue_queue_free(queue);
  ue_free(client);
}

static void a_message_that_cannot_be_sent_is_refused_by_the_push(void) {
  ue_client *client = sandbox_client();
  ue_queue *queue = queue_with(client, NULL);
  ue_message messages[4] = {message_to(""), message_to("2177"), message_to("2177"), message_to("2177")};
  static const char *const faults[] = {"client_user_id", "content is empty", "source is -1", "struct_size"};
  messages[1].content_length = 0;
  messages[2].source = -1;
  messages[3].struct_size--;
  for (int i = 0; i < 4; i++) {
    ue_result *result = NULL;
    messages[i].user_data = &messages[i];
    CHECK_INT(ue_queue_push(queue, &messages[i], &result), UE_INVALID_ARGUMENT);
    CHECK_INT(ue_result_delivery(result), UE_NOT_DELIVERED);
    CHECK_INT(ue_result_retry(result), UE_RETRY_NEVER);
    CHECK_PART(ue_result_message(result), faults[i]);
    CHECK(ue_result_user_data(result) == (i < 3 ? &messages[i] : NULL));
    ue_result_free(result);
    CHECK_INT(ue_queue_push(queue, &messages[i], NULL), UE_INVALID_ARGUMENT);
  }
  ue_result *result = NULL;
  CHECK_INT(ue_queue_push(queue, NULL, &result), UE_INVALID_ARGUMENT);
  CHECK_PART(ue_result_message(result), "message is NULL");
  ue_result_free(result);
  CHECK_INT(ue_queue_push(NULL, &messages[1], &result), UE_INVALID_ARGUMENT);
  CHECK_PART(ue_result_message(result), "queue is NULL");
  ue_result_free(result);
  CHECK_INT(ue_queue_wait(queue, 0), UE_OK);
  CHECK_INT(ue_queue_take(queue, NULL, 10), 0);
  ue_queue_free(queue);
  ue_free(client);
}

static void check_refused_queue(ue_client *client, const ue_queue_options *options, const char *part) {
  ue_result *result = NULL;
  CHECK(ue_queue_new(client, options, &result) == NULL);
  CHECK_INT(ue_result_status(result), UE_INVALID_ARGUMENT);
  CHECK_PART(ue_result_message(result), part);
  ue_result_free(result);
}

static void options_of_a_queue_that_cannot_be_used_are_refused(void) {
  ue_client *client = sandbox_client();
  ue_queue_options options = UE_QUEUE_OPTIONS_INIT;
  check_refused_queue(NULL, &options, "client is NULL");
  options.timeout_from = 2;
  check_refused_queue(client, &options, "timeout_from is 2");
  options.timeout_from = 0;
  options.struct_size++;
  check_refused_queue(client, &options, "UE_QUEUE_OPTIONS_INIT");
  ue_free(client);
}

/* Where a log callback is called, and with what. */
typedef struct lines {
  char text[16384];
  pthread_t thread;
  int is_taking, count;
} lines;

static void keep_line(void *argument, int32_t level, const char *text) {
  lines *kept = (lines *)argument;
  CHECK(kept->is_taking && pthread_equal(pthread_self(), kept->thread));
  CHECK(level >= UE_LOG_ERROR && level <= UE_LOG_TRACE);
  CHECK(strlen(kept->text) + strlen(text) + 2 < sizeof kept->text);
  strcat(kept->text, text);
  kept->count++;
}

static void log_lines_come_when_the_thread_takes_and_at_no_other_time(void) {
  lines *kept = (lines *)calloc(1, sizeof *kept);
  kept->thread = pthread_self();
  ue_options options = sandbox_options();
  options.log = keep_line;
  options.log_user_data = kept;
  options.log_level = UE_LOG_DEBUG;
  ue_client *client = client_with(&options);
  ue_queue *queue = queue_with(client, NULL);
  ue_message message = message_to("2180");
  message.content = "a secret between us";
  CHECK_INT(ue_queue_push(queue, &message, NULL), UE_OK);
  message.client_user_id = "missing-2180";
  CHECK_INT(ue_queue_push(queue, &message, NULL), UE_OK);
  CHECK_INT(ue_queue_wait(queue, 60000), UE_OK);
  CHECK_INT(kept->count, 0);
  kept->is_taking = 1;
  CHECK_INT(ue_queue_take(queue, NULL, 0), 0); /* lines without results */
  kept->is_taking = 0;
  CHECK(kept->count >= 4);
  CHECK(is_readable(queue, 0)); /* the results */
  kept->is_taking = 1;
  CHECK_INT(ue_queue_take(queue, NULL, 5), 2);
  CHECK(!is_readable(queue, 0));
  CHECK(strstr(kept->text, "secret") == NULL && strstr(kept->text, the_sandbox.api_key) == NULL);
  ue_queue_free(queue);
  ue_free(client);
  free(kept);
}

static void a_log_line_makes_the_descriptor_readable(void) {
  order_for("2181", hang, 1);
  lines *kept = (lines *)calloc(1, sizeof *kept);
  kept->thread = pthread_self();
  ue_options options = sandbox_options();
  options.log = keep_line;
  options.log_user_data = kept;
  options.log_level = UE_LOG_DEBUG;
  ue_client *client = client_with(&options);
  ue_queue *queue = queue_with(client, NULL);
  CHECK_INT(push_to(queue, "2181", NULL), UE_OK);
  CHECK(is_readable(queue, 60000));
  kept->is_taking = 1;
  CHECK_INT(ue_queue_take(queue, NULL, 5), 0);
  CHECK(kept->count > 0);
  ue_queue_free(queue);
  ue_free(client);
  free(kept);
}

/* In the log callback any function may be called but those that free. */
static ue_queue *of_the_log;

static void use_the_queue(void *left, int32_t level, const char *text) {
  (void)level, (void)text;
  if (--*(int *)left >= 0) CHECK_INT(push_to(of_the_log, "2183", NULL), UE_OK);
  CHECK_INT(ue_queue_cancel(of_the_log, left), 0);
  CHECK_INT(ue_queue_take(of_the_log, NULL, 0), 0);
}

static void the_log_callback_may_use_the_queue(void) {
  int left = 3;
  ue_options options = sandbox_options();
  options.log = use_the_queue;
  options.log_user_data = &left;
  options.log_level = UE_LOG_INFO;
  ue_client *client = client_with(&options);
  of_the_log = queue_with(client, NULL);
  CHECK_INT(push_to(of_the_log, "2182", NULL), UE_OK);
  for (int taken = 0; taken < 4; taken++) ue_result_free(take_one(of_the_log));
  ue_queue_free(of_the_log);
  ue_free(client);
  CHECK_INT(requests("2183"), 3);
}

static void each_message_of_a_queue_has_a_timeout_of_its_own(void) {
  order_for("2185", hang, 1);
  order_for("2186", "\"fault\": \"delay\", \"ms\": 400", 1);
  static const char *const ids[] = {"2185", "2186"};
  static const uint32_t timeouts[] = {500, 20000}, of_clients[] = {20000, 200};
  for (int i = 0; i < 2; i++) { /* a shorter one than the client's, and a longer one */
    ue_options options = sandbox_options();
    options.timeout_ms = of_clients[i];
    ue_client *client = client_with(&options);
    ue_queue *queue = queue_with(client, NULL);
    ue_message message = message_to(ids[i]);
    message.timeout_ms = timeouts[i];
    long long started = now_ms();
    CHECK_INT(ue_queue_push(queue, &message, NULL), UE_OK);
    check_next(queue, NULL, i == 0 ? UE_TIMEOUT : UE_OK, i == 0 ? UE_DELIVERY_UNKNOWN : UE_DELIVERED);
    CHECK(in_time(now_ms() - started, 10000));
    ue_queue_free(queue);
    ue_free(client);
  }
}

static void by_default_the_wait_for_a_turn_does_not_count(void) {
  order_for("2187", hang, 1);
  ue_client *client = narrow_client(1);
  ue_queue *queue = queue_with(client, NULL);
  ue_message message = message_to("2187");
  message.timeout_ms = 1500;
  CHECK_INT(ue_queue_push(queue, &message, NULL), UE_OK);
  message = message_to("2188");
  message.timeout_ms = 1000; /* it waits longer than that for its turn */
  CHECK_INT(ue_queue_push(queue, &message, NULL), UE_OK);
  check_next(queue, NULL, UE_TIMEOUT, UE_DELIVERY_UNKNOWN);
  check_next(queue, NULL, UE_OK, UE_DELIVERED);
  ue_queue_free(queue);
  ue_free(client);
}

static void a_timeout_from_the_push_ends_a_message_that_still_waits(void) {
  order_for("2189", hang, 1);
  ue_client *client = narrow_client(1);
  ue_queue_options options = UE_QUEUE_OPTIONS_INIT;
  options.timeout_from = UE_TIMEOUT_FROM_PUSH;
  ue_queue *queue = queue_with(client, &options);
  int in_flight = 0, waiting = 0;
  CHECK_INT(push_to(queue, "2189", &in_flight), UE_OK);
  await_requests("2189", 1);
  ue_message message = message_to("2190");
  message.user_data = &waiting;
  static const uint32_t timeouts[] = {300, 100, 200};
  long long started = now_ms();
  for (int i = 0; i < 3; i++) {
    message.timeout_ms = timeouts[i];
    CHECK_INT(ue_queue_push(queue, &message, NULL), UE_OK);
  }
  for (int i = 0; i < 3; i++) {
    check_next(queue, &waiting, UE_TIMEOUT, UE_NOT_DELIVERED);
    CHECK(now_ms() - started >= 100 * (i + 1));
  }
  CHECK(in_time(now_ms() - started, 5000));
  CHECK_INT(ue_queue_cancel(queue, &in_flight), 1);
  check_next(queue, &in_flight, UE_CANCELLED, UE_DELIVERY_UNKNOWN);
  ue_queue_free(queue);
  ue_free(client);
  CHECK_INT(requests("2190"), 0);
}

static const test tests[] = {
    TEST(each_message_gets_its_result_once_with_its_user_data),
    TEST(texts_may_be_overwritten_as_soon_as_a_push_returns),
    TEST(a_push_beyond_the_capacity_is_refused_and_nothing_is_lost),
    TEST(by_default_ten_thousand_messages_fit),
    TEST(the_descriptor_is_readable_exactly_while_something_is_finished),
    TEST(with_an_edge_triggered_loop_no_result_is_missed),
    TEST(a_message_that_waits_is_cancelled_at_once_and_never_sent),
    TEST(the_descriptor_is_readable_as_soon_as_a_cancel_returns),
    TEST(a_message_in_flight_is_cancelled_and_the_next_one_begins),
    TEST(the_cancel_of_a_message_ends_it_in_a_queue_too),
    TEST(a_wait_ends_when_all_is_finished_and_takes_nothing),
    TEST(a_wait_ends_at_its_timeout_or_when_interrupt_says_so),
    TEST(a_poll_ends_as_soon_as_something_can_be_taken),
    TEST(a_poll_ends_when_interrupt_says_so),
    TEST(a_signal_during_a_poll_has_the_callback_asked_at_once),
    TEST(a_poll_of_a_closed_client_has_the_results_that_the_close_brings),
    TEST(after_a_stop_what_is_in_flight_goes_on_and_no_more_is_begun),
    TEST(too_many_failures_in_a_row_suspend_a_queue_until_it_is_resumed),
    TEST(a_success_lets_as_many_begin_as_before),
    TEST(closing_the_client_ends_the_messages_of_its_queues),
    TEST(the_client_may_be_freed_before_its_queue),
    TEST(a_queue_freed_with_work_in_it_ends_what_is_in_flight),
    TEST(results_that_nobody_took_are_freed_with_the_queue),
    TEST(a_result_outlives_its_queue),
    TEST(the_result_of_a_push_says_that_it_was_accepted),
    TEST(a_message_that_cannot_be_sent_is_refused_by_the_push),
    TEST(options_of_a_queue_that_cannot_be_used_are_refused),
    TEST(log_lines_come_when_the_thread_takes_and_at_no_other_time),
    TEST(a_log_line_makes_the_descriptor_readable),
    TEST(the_log_callback_may_use_the_queue),
    TEST(each_message_of_a_queue_has_a_timeout_of_its_own),
    TEST(by_default_the_wait_for_a_turn_does_not_count),
    TEST(a_timeout_from_the_push_ends_a_message_that_still_waits),
};

MAIN(tests)
