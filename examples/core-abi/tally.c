/*
 * A tally that all instances share: functions for `wasmatrix invoke`, without a C library and without WASI.
 *
 *   add(delta) -> the new total       total() -> the total       reset() -> 0
 *   announce() -> 0                   publishes the total on the topic that the configuration `topic` names (by default `tally`)
 *   report() -> the HTTP status       posts it to the URL that the configuration `report-url` names
 *
 * Each answers a negative number when it fails, and writes why to the log.
 */
#include "wasmatrix.h"

#define EXPORT(name) __attribute__((export_name(#name)))
#define TEXT(literal) (literal), (sizeof(literal) - 1)

#define BUCKET TEXT("default")
#define KEY TEXT("tally")

/* Writes why the last call failed to the log, and gives its answer on. */
static int32_t complain(int32_t answer) {
  char message[256];
  if (answer >= 0) return answer;
  const int32_t length = wasmatrix_last_error(message, sizeof message);
  wasmatrix_log(WASMATRIX_ERROR, message, (size_t)length < sizeof message ? (size_t)length : sizeof message);
  return answer;
}

EXPORT(add)
int64_t add(int64_t delta) {
  int64_t sum;
  const int32_t answer = complain(wasmatrix_kv_increment(BUCKET, KEY, delta, &sum));
  return answer < 0 ? answer : sum;
}

EXPORT(reset)
int32_t reset(void) { return complain(wasmatrix_kv_delete(BUCKET, KEY)); }

/* The total as the store has it, in decimal digits; its length or an error. */
static int32_t read_total(char *digits, size_t room) {
  const int32_t length = wasmatrix_kv_get(BUCKET, KEY, digits, room);
  if (length == WASMATRIX_NONE) {
    digits[0] = '0';
    return 1;
  }
  return complain(length > (int32_t)room ? WASMATRIX_FAILED : length);
}

EXPORT(total)
int64_t total(void) {
  char digits[20];
  const int32_t length = read_total(digits, sizeof digits);
  if (length < 0) return length;
  uint64_t number = 0;
  for (int32_t index = digits[0] == '-'; index < length; index++) number = number * 10 + (uint64_t)(digits[index] - '0');
  return (int64_t)(digits[0] == '-' ? 0 - number : number);
}

EXPORT(announce)
int32_t announce(void) {
  char topic[128] = "tally", digits[20];
  int32_t topic_length = wasmatrix_config_get(TEXT("topic"), topic, sizeof topic);
  if (topic_length == WASMATRIX_NONE) topic_length = 5;
  if (topic_length < 0 || topic_length > (int32_t)sizeof topic) return complain(WASMATRIX_INVALID);
  const int32_t length = read_total(digits, sizeof digits);
  if (length < 0) return length;
  return complain(wasmatrix_publish(topic, (size_t)topic_length, digits, (size_t)length));
}

EXPORT(report)
int32_t report(void) {
  char url[512], digits[20], answer[256];
  int32_t status = 0;
  const int32_t url_length = wasmatrix_config_get(TEXT("report-url"), url, sizeof url);
  if (url_length < 0 || url_length > (int32_t)sizeof url) return complain(url_length < 0 ? url_length : WASMATRIX_INVALID);
  const int32_t length = read_total(digits, sizeof digits);
  if (length < 0) return length;
  const int32_t sent = complain(wasmatrix_http_request(TEXT("POST"), url, (size_t)url_length, TEXT("content-type: text/plain\n"), digits,
                                                       (size_t)length, &status, answer, sizeof answer));
  return sent < 0 ? sent : status;
}
