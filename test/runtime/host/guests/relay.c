/*
 * Passes every request on to http://backend.test and the answer back: bodies by splice, trailers both ways. A
 * request that is not answered becomes a 502 with the name of the error code. At /echo a request comes back itself.
 */
#include "wasi-http-client.h"

/* result<u64, stream-error> of splice is ResultU64. */
IMPORT(IO_STREAMS, "[method]output-stream.blocking-splice")
void io_blocking_splice(OutputStream stream, InputStream source, uint64_t bytes_max, ResultU64 *result);
IMPORT(HTTP_TYPES, "[static]incoming-body.finish") FutureTrailers http_incoming_body_finish(IncomingBody body);
IMPORT(HTTP_TYPES, "[method]future-trailers.subscribe") Pollable http_trailers_subscribe(FutureTrailers trailers);
IMPORT(HTTP_TYPES, "[resource-drop]future-trailers") void http_trailers_drop(FutureTrailers trailers);
IMPORT(HTTP_TYPES, "[method]fields.clone") Fields http_fields_clone(Fields fields);
IMPORT(HTTP_TYPES, "[method]incoming-response.headers") Fields http_incoming_headers(IncomingResponse response);

/* option<result<result<option<trailers>, error-code>>> */
typedef struct {
  bool is_some;
  _Alignas(8) bool is_taken;
  _Alignas(8) bool is_error;
  _Alignas(8) struct {
    bool is_some;
    Fields trailers;
    uint64_t room[3];
  } found;
} TrailersState;

IMPORT(HTTP_TYPES, "[method]future-trailers.get") void http_trailers_get(FutureTrailers trailers, TrailersState *result);

/* Moves a whole body over and ends it with its trailers; says whether it came to its end. */
static bool pass_on(IncomingBody from, OutgoingBody to) {
  ResultHandle input, output;
  http_incoming_body_stream(from, &input);
  http_outgoing_body_write(to, &output);
  if (input.is_error || output.is_error) __builtin_trap();
  ResultU64 moved;
  do io_blocking_splice(output.handle, input.handle, WASM_PAGE_BYTES, &moved);
  while (!moved.is_error);
  if (moved.failure.kind == STREAM_FAILED) io_error_drop(moved.failure.error);
  io_output_drop(output.handle);
  io_input_drop(input.handle);
  const FutureTrailers future = http_incoming_body_finish(from);
  const Pollable ready = http_trailers_subscribe(future);
  io_pollable_block(ready);
  io_pollable_drop(ready);
  TrailersState state;
  http_trailers_get(future, &state);
  http_trailers_drop(future);
  if (!state.is_some || state.is_taken) __builtin_trap();
  if (state.is_error) {
    http_outgoing_body_drop(to);
    return false;
  }
  Fields trailers = 0;
  if (state.found.is_some) {
    trailers = http_fields_clone(state.found.trailers);
    http_fields_drop(state.found.trailers);
  }
  ResultErrorCode finished;
  http_outgoing_body_finish(to, state.found.is_some, trailers, &finished);
  return !finished.is_error;
}

static void echo(IncomingRequest request, ResponseOutparam outparam) {
  ResultHandle from, to;
  const OutgoingResponse answer = http_response_new(http_fields_new());
  http_response_body(answer, &to);
  http_request_consume(request, &from);
  if (from.is_error || to.is_error) __builtin_trap();
  http_outparam_set(outparam, 0, answer, 0, 0, 0, 0, 0, 0);
  pass_on(from.handle, to.handle);
}

static void handle_request(IncomingRequest request, ResponseOutparam outparam) {
  const Text path = request_path_with_query(request);
  if (text_equals(path, TEXT("/echo"))) return echo(request, outparam);
  ResultHandle body, outgoing;
  const OutgoingRequest onward = http_outgoing_request_new(http_fields_new());
  http_outgoing_set_method(onward, METHOD_POST, 0, 0);
  http_outgoing_set_scheme(onward, 1, SCHEME_HTTP, 0, 0);
  http_outgoing_set_authority(onward, 1, "backend.test", 12);
  http_outgoing_set_path(onward, 1, path.start, path.length);
  http_outgoing_request_body(onward, &outgoing);
  http_request_consume(request, &body);
  if (outgoing.is_error || body.is_error) __builtin_trap();
  ResultFuture sent;
  http_send(onward, 0, 0, &sent);
  if (sent.is_error) return respond(outparam, 502, PLAIN_TEXT, HTTP_ERROR_NAMES[sent.error]);
  pass_on(body.handle, outgoing.handle);
  const Received received = http_await(sent.future);
  if (received.is_error) return respond(outparam, 502, PLAIN_TEXT, HTTP_ERROR_NAMES[received.error]);
  const Fields theirs = http_incoming_headers(received.response);
  const OutgoingResponse answer = http_response_new(http_fields_clone(theirs));
  http_fields_drop(theirs);
  http_response_set_status(answer, http_incoming_status(received.response));
  ResultHandle answer_body, response_body;
  http_response_body(answer, &answer_body);
  http_incoming_consume(received.response, &response_body);
  if (answer_body.is_error || response_body.is_error) __builtin_trap();
  http_outparam_set(outparam, 0, answer, 0, 0, 0, 0, 0, 0);
  pass_on(response_body.handle, answer_body.handle);
  http_incoming_drop(received.response);
}
