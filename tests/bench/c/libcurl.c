/* libcurl's easy interface, with a handle that is used again. The body is made once. */

#include "harness.h"
#include <curl/curl.h>

static CURL *curl;
static size_t received;

static size_t count(char *data, size_t size, size_t length, void *unused) {
  (void)data, (void)unused;
  received += size * length;
  return size * length;
}

static void send_one(void) {
  long status = 0;
  CURLcode code = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  require(code == CURLE_OK && status == 201, curl_easy_strerror(code));
}

int main(void) {
  char url[256], authorization[256];
  snprintf(url, sizeof url, "%s" PATH, base_url());
  snprintf(authorization, sizeof authorization, "Authorization: Token %s", api_key());
  curl_global_init(CURL_GLOBAL_DEFAULT);
  curl = curl_easy_init();
  struct curl_slist *headers = curl_slist_append(NULL, authorization);
  headers = curl_slist_append(headers, "Content-Type: application/json");
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, BODY);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, count);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
  if (ca_file()) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file());
  take_turns(send_one);
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  return 0;
}
