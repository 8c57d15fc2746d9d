/*
 * Takes messages. Each is written to standard output as a line `SUBJECT BODY`; one that wants an answer gets
 * `echo: BODY`. What the body begins with is an order to fail:
 *
 *   fail REASON   the handler returns that error         count KEY   increments a key of the bucket `default`
 *   trap          it traps                               sleep MS    waits so long
 *   spin          it computes for ever
 */
#include "canonical.h"
#include "wasi-keyvalue.h"
#include "wasmcloud-messaging.h"

typedef int32_t OutputStream, Pollable;

/* result<_, stream-error>; not looked at. */
typedef struct {
  uint8_t kind;
  int32_t error[2];
} ResultStream;

IMPORT("wasi:cli/stdout@0.2.12", "get-stdout") OutputStream cli_get_stdout(void);
IMPORT("wasi:io/streams@0.2.12", "[resource-drop]output-stream") void io_output_drop(OutputStream stream);
IMPORT("wasi:io/poll@0.2.12", "[method]pollable.block") void io_pollable_block(Pollable pollable);
IMPORT("wasi:io/poll@0.2.12", "[resource-drop]pollable") void io_pollable_drop(Pollable pollable);
IMPORT("wasi:io/streams@0.2.12", "[method]output-stream.blocking-write-and-flush")
void io_blocking_write_and_flush(OutputStream stream, const char *start, size_t length, ResultStream *result);
IMPORT("wasi:clocks/monotonic-clock@0.2.12", "subscribe-duration") Pollable clock_subscribe_duration(uint64_t nanoseconds);

static uint64_t number_of(Text digits) {
  uint64_t number = 0;
  for (size_t index = 0; index < digits.length; index++) number = number * 10 + (uint64_t)(digits.start[index] - '0');
  return number;
}

static void say(Text line) {
  const OutputStream output = cli_get_stdout();
  ResultStream written;
  io_blocking_write_and_flush(output, line.start, line.length, &written);
  io_output_drop(output);
}

static MessagingDone failed(Text message) { return (MessagingDone){true, message}; }

static MessagingDone obey(Text order) {
  if (text_starts_with(order, TEXT("fail "))) return failed(text_after(order, 5));
  if (text_starts_with(order, TEXT("trap"))) __builtin_trap();
  if (text_starts_with(order, TEXT("spin"))) for (volatile uint32_t turns = 0;;) turns = turns + 1;
  if (text_starts_with(order, TEXT("sleep "))) {
    const Pollable timer = clock_subscribe_duration(number_of(text_after(order, 6)) * 1000000);
    io_pollable_block(timer);
    io_pollable_drop(timer);
  }
  if (text_starts_with(order, TEXT("count "))) {
    ResultBucket opened;
    ResultSum sum;
    kv_open("default", 7, &opened);
    if (opened.is_error) return failed(TEXT("no bucket"));
    kv_increment(opened.bucket, order.start + 6, order.length - 6, 1, &sum);
    kv_bucket_drop(opened.bucket);
    if (sum.is_error) return failed(sum.error.kind == KV_ACCESS_DENIED ? TEXT("access-denied") : TEXT("no count"));
  }
  return (MessagingDone){false, TEXT("")};
}

EXPORT("wasmcloud:messaging/handler@0.2.0#handle-message")
MessagingDone *messaging_handle(const char *subject, size_t subject_length, const char *body, size_t body_length, int32_t has_reply_to,
                                const char *reply_to, size_t reply_to_length) {
  static MessagingDone result;
  const ArenaMark mark = arena_mark();
  const Text text = {body, body_length};
  say(text_join(text_join((Text){subject, subject_length}, TEXT(" ")), text_join(text, TEXT("\n"))));
  result = obey(text);
  if (!result.is_error && has_reply_to) {
    const Text answer = text_join(TEXT("echo: "), text);
    messaging_publish(reply_to, reply_to_length, answer.start, answer.length, 0, 0, 0, &result);
  }
  arena_reset(mark);
  return &result;
}
