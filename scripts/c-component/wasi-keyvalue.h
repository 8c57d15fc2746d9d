/* Counting in wasi:keyvalue 0.2.0-draft. */
#ifndef WASI_KEYVALUE_H
#define WASI_KEYVALUE_H

#include "canonical.h"

typedef int32_t Bucket;

/* variant error */
enum { KV_NO_SUCH_STORE, KV_ACCESS_DENIED, KV_OTHER };
typedef struct {
  uint8_t kind;
  Text message;
} KvError;

/* result<bucket, error> */
typedef struct {
  bool is_error;
  union {
    Bucket bucket;
    KvError error;
  };
} ResultBucket;

/* result<u64, error> */
typedef struct {
  bool is_error;
  union {
    uint64_t sum;
    KvError error;
  };
} ResultSum;

IMPORT("wasi:keyvalue/store@0.2.0-draft", "open") void kv_open(const char *name, size_t length, ResultBucket *result);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[resource-drop]bucket") void kv_bucket_drop(Bucket bucket);
IMPORT("wasi:keyvalue/atomics@0.2.0-draft", "increment")
void kv_increment(Bucket bucket, const char *key, size_t length, uint64_t delta, ResultSum *result);

#endif
