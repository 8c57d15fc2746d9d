/* wasi:keyvalue 0.2.0-draft: what the examples use of it. */
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

/* result<_, error> */
typedef struct {
  bool is_error;
  KvError error;
} ResultDone;

/* result<key-response, error> */
typedef struct {
  bool is_error;
  union {
    struct {
      const Text *keys;
      size_t key_count;
      bool has_cursor;
      uint64_t cursor;
    } page;
    KvError error;
  };
} ResultPage;

/* option<tuple<string, list<u8>>> */
typedef struct {
  bool is_some;
  Text key;
  Text value;
} KvEntry;

/* result<list<option<tuple<string, list<u8>>>>, error> */
typedef struct {
  bool is_error;
  union {
    struct {
      const KvEntry *items;
      size_t count;
    } entries;
    KvError error;
  };
} ResultEntries;

IMPORT("wasi:keyvalue/store@0.2.0-draft", "open") void kv_open(const char *name, size_t length, ResultBucket *result);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[resource-drop]bucket") void kv_bucket_drop(Bucket bucket);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.delete")
void kv_delete(Bucket bucket, const char *key, size_t length, ResultDone *result);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.list-keys")
void kv_list_keys(Bucket bucket, int32_t has_cursor, uint64_t cursor, ResultPage *result);
IMPORT("wasi:keyvalue/batch@0.2.0-draft", "get-many")
void kv_get_many(Bucket bucket, const Text *keys, size_t count, ResultEntries *result);
IMPORT("wasi:keyvalue/atomics@0.2.0-draft", "increment")
void kv_increment(Bucket bucket, const char *key, size_t length, uint64_t delta, ResultSum *result);

#endif
