/*
 * The import ABI by which bare WebAssembly modules reach the capabilities of Wasmatrix; docs/core-abi.md is its reference.
 *
 * Addresses and lengths are of the module's own memory, which it must export as "memory" (clang's linker does). Text is
 * UTF-8. A function answers 0, a truth value or the length of its result; or one of the errors below, and then
 * `wasmatrix_last_error` has a sentence. A result longer than the room for it is cut off, and `wasmatrix_result_read`
 * has all of it until the next function that gives one. Functions marked "waits" must not be called by the start function.
 *
 *   clang --target=wasm32 -nostdlib -Wl,--no-entry -Os -o module.wasm module.c
 */
#ifndef WASMATRIX_H
#define WASMATRIX_H

#include <stddef.h>
#include <stdint.h>

/* The instance was not granted the permission, or it was denied or revoked. */
#define WASMATRIX_DENIED (-1)
/* An argument is not what the function takes. Nothing was done. */
#define WASMATRIX_INVALID (-2)
/* There is no such key, variable or value. */
#define WASMATRIX_NONE (-3)
/* Whatever carries the operation out failed. */
#define WASMATRIX_FAILED (-4)

#define WASMATRIX_IMPORT(name) __attribute__((import_module("wasmatrix"), import_name(#name))) extern

/* Key-value store; waits. Permissions kv:read, kv:write, kv:delete on the bucket. */
WASMATRIX_IMPORT(kv_get)
int32_t wasmatrix_kv_get(const char *bucket, size_t bucket_length, const char *key, size_t key_length, void *value, size_t value_room);
WASMATRIX_IMPORT(kv_set)
int32_t wasmatrix_kv_set(const char *bucket, size_t bucket_length, const char *key, size_t key_length, const void *value, size_t value_length);
WASMATRIX_IMPORT(kv_delete)
int32_t wasmatrix_kv_delete(const char *bucket, size_t bucket_length, const char *key, size_t key_length);
/* 1 or 0. */
WASMATRIX_IMPORT(kv_exists)
int32_t wasmatrix_kv_exists(const char *bucket, size_t bucket_length, const char *key, size_t key_length);
/* Adds to a decimal number, 0 if there is none, and puts the sum where `sum` points. */
WASMATRIX_IMPORT(kv_increment)
int32_t wasmatrix_kv_increment(const char *bucket, size_t bucket_length, const char *key, size_t key_length, int64_t delta, int64_t *sum);
/* 1 if the key had the value `expected` (or none, if `is_expected` is 0) and now has `value`; otherwise 0, and its value is the result. */
WASMATRIX_IMPORT(kv_compare_and_swap)
int32_t wasmatrix_kv_compare_and_swap(const char *bucket, size_t bucket_length, const char *key, size_t key_length, const void *expected,
                                      size_t expected_length, int32_t is_expected, const void *value, size_t value_length);
/* One page of keys. Texts, each with its length before it (4 bytes, little-endian): first the cursor for the next page, empty on the last one, then the keys. */
WASMATRIX_IMPORT(kv_list_keys)
int32_t wasmatrix_kv_list_keys(const char *bucket, size_t bucket_length, const char *cursor, size_t cursor_length, void *keys, size_t keys_room);

/* Messaging; waits. Permission msg:publish:TOPIC. */
WASMATRIX_IMPORT(publish)
int32_t wasmatrix_publish(const char *topic, size_t topic_length, const void *body, size_t body_length);
/* Publishes and waits for the first reply, whose body is the result. */
WASMATRIX_IMPORT(request)
int32_t wasmatrix_request(const char *topic, size_t topic_length, const void *body, size_t body_length, uint32_t timeout_ms, void *reply,
                          size_t reply_room);

/* Sends an HTTP request; waits. Permission http:request or http:domain:DOMAIN. `headers` are lines `name: value`. The response's body is the result. */
WASMATRIX_IMPORT(http_request)
int32_t wasmatrix_http_request(const char *method, size_t method_length, const char *url, size_t url_length, const char *headers,
                               size_t headers_length, const void *body, size_t body_length, int32_t *status, void *response,
                               size_t response_room);
/* The headers of the last response, as lines `name: value`. */
WASMATRIX_IMPORT(http_response_headers)
int32_t wasmatrix_http_response_headers(void *headers, size_t headers_room);

/* The last result from `offset` on; answers how many bytes there are from there. */
WASMATRIX_IMPORT(result_read)
int32_t wasmatrix_result_read(uint32_t offset, void *rest, size_t rest_room);
/* Why the last call that failed did so; answers the sentence's length. */
WASMATRIX_IMPORT(last_error)
int32_t wasmatrix_last_error(char *message, size_t message_room);

/* Writes a line to the instance's log. */
enum { WASMATRIX_TRACE, WASMATRIX_DEBUG, WASMATRIX_INFO, WASMATRIX_WARN, WASMATRIX_ERROR, WASMATRIX_CRITICAL };
WASMATRIX_IMPORT(log)
int32_t wasmatrix_log(int32_t level, const char *message, size_t message_length);

/* A configuration value of the start order. */
WASMATRIX_IMPORT(config_get)
int32_t wasmatrix_config_get(const char *key, size_t key_length, char *value, size_t value_room);
/* An environment variable: of the start order, or of the node if env:NAME was granted. */
WASMATRIX_IMPORT(env_get)
int32_t wasmatrix_env_get(const char *name, size_t name_length, char *value, size_t value_room);

/* Milliseconds since 1970. */
WASMATRIX_IMPORT(clock_ms) int64_t wasmatrix_clock_ms(void);
/* Fills with random bytes that are fit for keys. */
WASMATRIX_IMPORT(random) int32_t wasmatrix_random(void *bytes, size_t bytes_room);
/* Waits. */
WASMATRIX_IMPORT(sleep_ms) int32_t wasmatrix_sleep_ms(uint32_t duration_ms);

#endif
