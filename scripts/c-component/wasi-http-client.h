/* Sending HTTP requests by wasi:http. */
#ifndef WASI_HTTP_CLIENT_H
#define WASI_HTTP_CLIENT_H

#include "wasi-http.h"

typedef int32_t OutgoingRequest, FutureResponse, IncomingResponse;

/* result<future-incoming-response, error-code>; of an error code only the case is looked at. */
typedef struct {
  bool is_error;
  _Alignas(8) union {
    FutureResponse future;
    uint8_t error;
    uint64_t room[4];
  };
} ResultFuture;

/* option<result<result<incoming-response, error-code>>> */
typedef struct {
  bool is_some;
  _Alignas(8) bool is_taken;
  _Alignas(8) bool is_error;
  _Alignas(8) union {
    IncomingResponse response;
    uint8_t error;
    uint64_t room[4];
  };
} FutureState;

IMPORT(HTTP_TYPES, "[constructor]fields") Fields http_fields_new(void);
IMPORT(HTTP_TYPES, "[constructor]outgoing-request") OutgoingRequest http_outgoing_request_new(Fields headers);
IMPORT(HTTP_TYPES, "[method]outgoing-request.set-method")
int32_t http_outgoing_set_method(OutgoingRequest request, int32_t kind, const char *other, size_t length);
IMPORT(HTTP_TYPES, "[method]outgoing-request.set-scheme")
int32_t http_outgoing_set_scheme(OutgoingRequest request, int32_t is_some, int32_t kind, const char *other, size_t length);
IMPORT(HTTP_TYPES, "[method]outgoing-request.set-authority")
int32_t http_outgoing_set_authority(OutgoingRequest request, int32_t is_some, const char *start, size_t length);
IMPORT(HTTP_TYPES, "[method]outgoing-request.set-path-with-query")
int32_t http_outgoing_set_path(OutgoingRequest request, int32_t is_some, const char *start, size_t length);
IMPORT(HTTP_TYPES, "[method]outgoing-request.body") void http_outgoing_request_body(OutgoingRequest request, ResultHandle *result);
IMPORT("wasi:http/outgoing-handler@0.2.12", "handle")
void http_send(OutgoingRequest request, int32_t has_options, int32_t options, ResultFuture *result);
IMPORT(HTTP_TYPES, "[method]future-incoming-response.subscribe") Pollable http_future_subscribe(FutureResponse future);
IMPORT(HTTP_TYPES, "[method]future-incoming-response.get") void http_future_get(FutureResponse future, FutureState *result);
IMPORT(HTTP_TYPES, "[resource-drop]future-incoming-response") void http_future_drop(FutureResponse future);
IMPORT(HTTP_TYPES, "[method]incoming-response.status") int32_t http_incoming_status(IncomingResponse response);
IMPORT(HTTP_TYPES, "[method]incoming-response.consume") void http_incoming_consume(IncomingResponse response, ResultHandle *result);
IMPORT(HTTP_TYPES, "[resource-drop]incoming-response") void http_incoming_drop(IncomingResponse response);

enum { SCHEME_HTTP, SCHEME_HTTPS };
enum { HTTP_REQUEST_DENIED = 15, HTTP_URI_INVALID = 19 };

/* Names of the cases of error-code, in their order. */
static const Text HTTP_ERROR_NAMES[] = {
    TEXT("DNS-timeout"), TEXT("DNS-error"), TEXT("destination-not-found"), TEXT("destination-unavailable"),
    TEXT("destination-IP-prohibited"), TEXT("destination-IP-unroutable"), TEXT("connection-refused"),
    TEXT("connection-terminated"), TEXT("connection-timeout"), TEXT("connection-read-timeout"),
    TEXT("connection-write-timeout"), TEXT("connection-limit-reached"), TEXT("TLS-protocol-error"),
    TEXT("TLS-certificate-error"), TEXT("TLS-alert-received"), TEXT("HTTP-request-denied"),
    TEXT("HTTP-request-length-required"), TEXT("HTTP-request-body-size"), TEXT("HTTP-request-method-invalid"),
    TEXT("HTTP-request-URI-invalid"), TEXT("HTTP-request-URI-too-long"), TEXT("HTTP-request-header-section-size"),
    TEXT("HTTP-request-header-size"), TEXT("HTTP-request-trailer-section-size"), TEXT("HTTP-request-trailer-size"),
    TEXT("HTTP-response-incomplete"), TEXT("HTTP-response-header-section-size"), TEXT("HTTP-response-header-size"),
    TEXT("HTTP-response-body-size"), TEXT("HTTP-response-trailer-section-size"), TEXT("HTTP-response-trailer-size"),
    TEXT("HTTP-response-transfer-coding"), TEXT("HTTP-response-content-coding"), TEXT("HTTP-response-timeout"),
    TEXT("HTTP-upgrade-failed"), TEXT("HTTP-protocol-error"), TEXT("loop-detected"), TEXT("configuration-error"),
    TEXT("internal-error"),
};

/* What came of a request: a response whose body can be read, or the case of an error code. */
typedef struct {
  bool is_error;
  uint8_t error;
  FutureResponse future;
} Sent;

typedef struct {
  bool is_error;
  uint8_t error;
  IncomingResponse response;
} Received;

static inline Sent sending_failed(uint8_t error) { return (Sent){true, error, 0}; }

/* Begins `method URL` with `body` (which must fit in what the host takes at once), and does not wait for the answer. */
static inline Sent http_begin(int32_t method, Text url, Text body) {
  const bool is_secure = text_starts_with(url, TEXT("https://"));
  if (!is_secure && !text_starts_with(url, TEXT("http://"))) return sending_failed(HTTP_URI_INVALID);
  const Text rest = text_after(url, is_secure ? 8 : 7);
  const ptrdiff_t slash = text_find(rest, TEXT("/"));
  const Text authority = {rest.start, slash < 0 ? rest.length : (size_t)slash};
  const Text path = slash < 0 ? TEXT("/") : text_after(rest, (size_t)slash);
  const OutgoingRequest request = http_outgoing_request_new(http_fields_new());
  if (http_outgoing_set_method(request, method, 0, 0) != 0) return sending_failed(HTTP_URI_INVALID);
  if (http_outgoing_set_scheme(request, 1, is_secure ? SCHEME_HTTPS : SCHEME_HTTP, 0, 0) != 0) return sending_failed(HTTP_URI_INVALID);
  if (http_outgoing_set_authority(request, 1, authority.start, authority.length) != 0) return sending_failed(HTTP_URI_INVALID);
  if (http_outgoing_set_path(request, 1, path.start, path.length) != 0) return sending_failed(HTTP_URI_INVALID);
  ResultHandle outgoing;
  http_outgoing_request_body(request, &outgoing);
  if (outgoing.is_error) __builtin_trap();
  ResultFuture sent;
  http_send(request, 0, 0, &sent);
  if (sent.is_error) {
    http_outgoing_body_drop(outgoing.handle);
    return sending_failed(sent.error);
  }
  if (body.length > 0) {
    ResultHandle stream;
    http_outgoing_body_write(outgoing.handle, &stream);
    if (stream.is_error) __builtin_trap();
    Response writer = {outgoing.handle, stream.handle, true};
    response_write(&writer, body);
    io_output_drop(stream.handle);
  }
  ResultErrorCode finished;
  http_outgoing_body_finish(outgoing.handle, 0, 0, &finished);
  return (Sent){false, 0, sent.future};
}

/* Waits for the answer. */
static inline Received http_await(FutureResponse future) {
  FutureState state;
  for (http_future_get(future, &state); !state.is_some; http_future_get(future, &state)) {
    const Pollable ready = http_future_subscribe(future);
    io_pollable_block(ready);
    io_pollable_drop(ready);
  }
  http_future_drop(future);
  if (state.is_taken) __builtin_trap();
  return state.is_error ? (Received){true, state.error, 0} : (Received){false, 0, state.response};
}

/* All that a stream has, in new memory; what came before a failure, if it fails. */
static inline Text stream_read_all(InputStream input) {
  Text whole = TEXT("");
  for (;;) {
    ResultBytes read;
    io_blocking_read(input, WASM_PAGE_BYTES, &read);
    if (read.is_error) {
      if (read.failure.kind == STREAM_FAILED) io_error_drop(read.failure.error);
      return whole;
    }
    whole = text_join(whole, read.bytes);
  }
}

#endif
