/* The least that an HTTP service does: the same few bytes for every request. */
#include "wasi-http.h"

static void handle_request(IncomingRequest request, ResponseOutparam outparam) {
  (void)request;
  respond(outparam, 200, TEXT("text/plain"), TEXT("Hello, world\n"));
}
