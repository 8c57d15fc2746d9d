/* An HTTP handler with an import that no runtime has. */
#include "wasi-http.h"

IMPORT("wasmatrix:foreign/telepathy", "read-mind") int32_t read_mind(void);

static void handle_request(IncomingRequest request, ResponseOutparam outparam) {
  (void)request;
  respond(outparam, 200 + read_mind(), PLAIN_TEXT, TEXT(""));
}
