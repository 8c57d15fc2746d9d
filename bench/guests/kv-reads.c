/*
 * Reads one key of the bucket "default" again and again, and says how long the reads took:
 *
 *   GET /?reads=N    "p50 p99 all", in nanoseconds; "all" is the time of all N together, without a clock in between
 *   GET /?write=1    writes the key first; "done"
 */
#include "wasi-http.h"
#include "wasi-keyvalue.h"

enum { READS_MAX = 100000, READS_DEFAULT = 1000 };

/* result<option<list<u8>>, error> */
typedef struct {
  bool is_error;
  union {
    OptionText value;
    KvError error;
  };
} ResultValue;

IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.get")
void kv_get(Bucket bucket, const char *key, size_t length, ResultValue *result);
IMPORT("wasi:keyvalue/store@0.2.0-draft", "[method]bucket.set")
void kv_set(Bucket bucket, const char *key, size_t key_length, const char *value, size_t value_length, ResultDone *result);
IMPORT("wasi:clocks/monotonic-clock@0.2.12", "now") uint64_t clock_now(void);

#define KEY TEXT("greeting")
#define VALUE TEXT("Good morning, good evening, good night")

static uint64_t took[READS_MAX];

static void read_once(Bucket bucket) {
  const ArenaMark mark = arena_mark();
  ResultValue read;
  kv_get(bucket, KEY.start, KEY.length, &read);
  if (read.is_error || !read.value.is_some || read.value.value.length != VALUE.length) __builtin_trap();
  arena_reset(mark);
}

static void sift_down(size_t root, size_t count) {
  for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
    if (child + 1 < count && took[child] < took[child + 1]) child++;
    if (took[root] >= took[child]) return;
    const uint64_t lower = took[root];
    took[root] = took[child];
    took[child] = lower;
    root = child;
  }
}

static void sort_took(size_t count) {
  for (size_t root = count / 2; root-- > 0;) sift_down(root, count);
  for (size_t last = count; last-- > 1;) {
    const uint64_t largest = took[0];
    took[0] = took[last];
    took[last] = largest;
    sift_down(0, last);
  }
}

static Text measure(Bucket bucket, size_t reads) {
  for (size_t index = 0; index < reads; index++) {
    const uint64_t start = clock_now();
    read_once(bucket);
    took[index] = clock_now() - start;
  }
  const uint64_t start = clock_now();
  for (size_t index = 0; index < reads; index++) read_once(bucket);
  const uint64_t all = clock_now() - start;
  sort_took(reads);
  Text line = text_from_number(took[reads / 2]);
  line = text_join(text_join(line, TEXT(" ")), text_from_number(took[reads * 99 / 100]));
  return text_join(text_join(line, TEXT(" ")), text_from_number(all));
}

static void handle_request(IncomingRequest request, ResponseOutparam outparam) {
  const Text path = request_path_with_query(request);
  const Text bucket_name = TEXT("default");
  ResultBucket opened;
  kv_open(bucket_name.start, bucket_name.length, &opened);
  if (opened.is_error) __builtin_trap();
  if (query_number(path, TEXT("write"), 0) > 0) {
    ResultDone written;
    kv_set(opened.bucket, KEY.start, KEY.length, VALUE.start, VALUE.length, &written);
    respond(outparam, written.is_error ? 500 : 200, PLAIN_TEXT, TEXT("done"));
  } else {
    const uint64_t asked = query_number(path, TEXT("reads"), READS_DEFAULT);
    const size_t reads = asked < 1 ? 1 : asked > READS_MAX ? READS_MAX : (size_t)asked;
    respond(outparam, 200, PLAIN_TEXT, measure(opened.bucket, reads));
  }
  kv_bucket_drop(opened.bucket);
}
