/* Uses wasi:keyvalue 0.2.0-draft2: compare-and-swap, cursors that are text, and batches. */
#include "canonical.h"

typedef int32_t Bucket, Cas;

/* variant error */
enum { KV_NO_SUCH_STORE, KV_ACCESS_DENIED, KV_OTHER };
typedef struct {
  uint8_t kind;
  Text message;
} KvError;

typedef struct {
  bool is_error;
  union {
    int32_t handle;
    KvError error;
  };
} ResultHandle;

/* result<option<list<u8>>, error> */
typedef struct {
  bool is_error;
  union {
    struct {
      bool is_some;
      Text bytes;
    } found;
    KvError error;
  };
} ResultValue;

/* result<_, cas-error> */
typedef struct {
  bool is_error;
  struct {
    uint8_t kind;
    union {
      KvError error;
      Cas next;
    };
  } failure;
} ResultSwap;

typedef struct {
  bool is_error;
  KvError error;
} ResultDone;

typedef struct {
  bool is_error;
  union {
    struct {
      const Text *keys;
      size_t key_count;
      bool has_cursor;
      Text cursor;
    } page;
    KvError error;
  };
} ResultPage;

/* result<list<tuple<string, option<list<u8>>>>, error>, whose list is handed on as it came */
typedef struct {
  bool is_error;
  union {
    Text list;
    KvError error;
  };
} ResultEntries;

/* result<list, string> and result<string, string> */
typedef struct {
  bool is_error;
  Text value;
} Answer;

#define STORE "wasi:keyvalue/store@0.2.0-draft2"
#define ATOMICS "wasi:keyvalue/atomics@0.2.0-draft2"

IMPORT(STORE, "open") void kv_open(const char *name, size_t length, ResultHandle *result);
IMPORT(STORE, "[resource-drop]bucket") void kv_bucket_drop(Bucket bucket);
IMPORT(STORE, "[method]bucket.set")
void kv_set(Bucket bucket, const char *key, size_t length, const char *value, size_t value_length, ResultDone *result);
IMPORT(STORE, "[method]bucket.list-keys")
void kv_list_keys(Bucket bucket, int32_t has_cursor, const char *cursor, size_t length, ResultPage *result);
IMPORT(ATOMICS, "[static]cas.new") void kv_cas_new(Bucket bucket, const char *key, size_t length, ResultHandle *result);
IMPORT(ATOMICS, "[method]cas.current") void kv_cas_current(Cas cas, ResultValue *result);
IMPORT(ATOMICS, "swap") void kv_swap(Cas cas, const char *value, size_t length, ResultSwap *result);
IMPORT("wasi:keyvalue/batch@0.2.0-draft2", "get-many")
void kv_get_many(Bucket bucket, const Text *keys, size_t count, ResultEntries *result);

static Answer answer;

static Answer *failed(const KvError *error) {
  answer.is_error = true;
  answer.value = error->kind == KV_OTHER ? error->message : error->kind == KV_ACCESS_DENIED ? TEXT("access-denied") : TEXT("no-such-store");
  return &answer;
}

static Answer *done(Text value) {
  answer = (Answer){false, value};
  return &answer;
}

/* Adds to the value at `key`, as often as it takes; with `disturb` somebody else writes in between, once. */
EXPORT("append")
Answer *append(const char *name, size_t name_length, const char *key, size_t key_length, const char *text, size_t text_length, int32_t disturb) {
  ResultHandle opened, cas;
  kv_open(name, name_length, &opened);
  if (opened.is_error) return failed(&opened.error);
  kv_cas_new(opened.handle, key, key_length, &cas);
  if (cas.is_error) return failed(&cas.error);
  if (disturb) {
    ResultDone written;
    kv_set(opened.handle, key, key_length, "them ", 5, &written);
  }
  for (Cas current = cas.handle;;) {
    ResultValue value;
    kv_cas_current(current, &value);
    if (value.is_error) return failed(&value.error);
    const Text next = text_join(value.found.is_some ? value.found.bytes : TEXT(""), (Text){text, text_length});
    ResultSwap swapped;
    kv_swap(current, next.start, next.length, &swapped);
    if (!swapped.is_error) {
      kv_bucket_drop(opened.handle);
      return done(next);
    }
    if (swapped.failure.kind == 0) return failed(&swapped.failure.error);
    current = swapped.failure.next;
  }
}

EXPORT("values")
Answer *values(const char *name, size_t name_length, const Text *keys, size_t count) {
  ResultHandle opened;
  kv_open(name, name_length, &opened);
  if (opened.is_error) return failed(&opened.error);
  ResultEntries entries;
  kv_get_many(opened.handle, keys, count, &entries);
  kv_bucket_drop(opened.handle);
  return entries.is_error ? failed(&entries.error) : done(entries.list);
}

/* All of them, page by page. */
EXPORT("keys")
Answer *keys(const char *name, size_t name_length) {
  ResultHandle opened;
  kv_open(name, name_length, &opened);
  if (opened.is_error) return failed(&opened.error);
  size_t count = 0;
  Text *all = arena_take(4096 * sizeof *all, sizeof(size_t));
  ResultPage page = {.page = {.has_cursor = false}};
  bool has_cursor = false;
  Text cursor = TEXT("");
  do {
    kv_list_keys(opened.handle, has_cursor, cursor.start, cursor.length, &page);
    if (page.is_error) return failed(&page.error);
    for (size_t index = 0; index < page.page.key_count; index++) all[count++] = page.page.keys[index];
    has_cursor = page.page.has_cursor;
    cursor = page.page.cursor;
  } while (has_cursor);
  kv_bucket_drop(opened.handle);
  return done((Text){(const char *)all, count});
}
