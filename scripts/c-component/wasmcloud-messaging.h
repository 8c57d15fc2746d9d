/* wasmcloud:messaging 0.2.0. */
#ifndef WASMCLOUD_MESSAGING_H
#define WASMCLOUD_MESSAGING_H

#include "canonical.h"

/* record broker-message */
typedef struct {
  Text subject;
  Text body;
  bool has_reply_to;
  Text reply_to;
} BrokerMessage;

/* result<_, string> */
typedef struct {
  bool is_error;
  Text message;
} MessagingDone;

/* result<broker-message, string> */
typedef struct {
  bool is_error;
  union {
    BrokerMessage reply;
    Text message;
  };
} MessagingReply;

IMPORT("wasmcloud:messaging/consumer@0.2.0", "publish")
void messaging_publish(const char *subject, size_t subject_length, const char *body, size_t body_length, int32_t has_reply_to,
                       const char *reply_to, size_t reply_to_length, MessagingDone *result);
IMPORT("wasmcloud:messaging/consumer@0.2.0", "request")
void messaging_request(const char *subject, size_t subject_length, const char *body, size_t body_length, int32_t timeout_ms,
                       MessagingReply *result);

#endif
