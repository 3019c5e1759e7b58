/*
 * dash_v1.h - the functions of the ABI, as the host gives them to a guest.
 *
 * Nodes use dashhost.h. This file is for what that does not wrap, and for whoever
 * wants to see what is underneath. Lengths are bytes; a negative result is -errno;
 * abi/spec/v1.md says what each function does.
 *
 * Natively (without __wasm__) these are ordinary functions: dashtest.c has them.
 */
#ifndef DASH_V1_H
#define DASH_V1_H

#include <stdint.h>

#ifdef __wasm__
#define DASH_V1(name) __attribute__((import_module("dash_v1"), import_name(#name)))
#else
#define DASH_V1(name)
#endif

/* data */
int32_t dash_v1_input_read(void *buf, uint32_t cap) DASH_V1(input_read);
int32_t dash_v1_config_read(void *buf, uint32_t cap) DASH_V1(config_read);
int32_t dash_v1_meta_read(void *buf, uint32_t cap) DASH_V1(meta_read);
int32_t dash_v1_output_write(const void *ptr, uint32_t len) DASH_V1(output_write);

/* outcome */
int32_t dash_v1_fail(const void *ptr, uint32_t len, int64_t retry_us) DASH_V1(fail);
int32_t dash_v1_last_error(void *buf, uint32_t cap) DASH_V1(last_error);

/* routing */
int32_t dash_v1_route_to(const void *ptr, uint32_t len) DASH_V1(route_to);
int32_t dash_v1_route_send(const void *nptr, uint32_t nlen, const void *iptr, uint32_t ilen) DASH_V1(route_send);

/* people: grant interrupts */
int32_t dash_v1_interrupt(const void *ptr, uint32_t len) DASH_V1(interrupt);
int32_t dash_v1_answer_read(void *buf, uint32_t cap) DASH_V1(answer_read);

/* log */
void dash_v1_log(int32_t level, const void *ptr, uint32_t len) DASH_V1(log);
int32_t dash_v1_log_enabled(int32_t level) DASH_V1(log_enabled);

/* telemetry: grant telemetry */
int32_t dash_v1_event_emit(const void *tptr, uint32_t tlen, const void *ptr, uint32_t len) DASH_V1(event_emit);
int32_t dash_v1_stream_write(const void *lptr, uint32_t llen, const void *ptr, uint32_t len) DASH_V1(stream_write);
int32_t dash_v1_metric(int32_t kind, const void *nptr, uint32_t nlen, double value) DASH_V1(metric);

/* progress: grant checkpoint */
int64_t dash_v1_checkpoint_save(const void *ptr, uint32_t len) DASH_V1(checkpoint_save);
int32_t dash_v1_checkpoint_load(void *buf, uint32_t cap) DASH_V1(checkpoint_load);

/* state: grant kv */
int32_t dash_v1_kv_get(const void *kptr, uint32_t klen, void *buf, uint32_t cap, void *verptr) DASH_V1(kv_get);
int64_t dash_v1_kv_put(const void *kptr, uint32_t klen, const void *vptr, uint32_t vlen, int64_t expect) DASH_V1(kv_put);
int32_t dash_v1_kv_delete(const void *kptr, uint32_t klen, int64_t expect) DASH_V1(kv_delete);
int32_t dash_v1_kv_list(const void *pptr, uint32_t plen, const void *aptr, uint32_t alen, void *buf, uint32_t cap) DASH_V1(kv_list);

/* outside: grant http */
int32_t dash_v1_http_fetch(const void *hptr, uint32_t hlen, const void *bptr, uint32_t blen) DASH_V1(http_fetch);
int32_t dash_v1_http_head(int32_t handle, void *buf, uint32_t cap) DASH_V1(http_head);
int32_t dash_v1_http_body(int32_t handle, void *buf, uint32_t cap) DASH_V1(http_body);
int32_t dash_v1_http_close(int32_t handle) DASH_V1(http_close);

/* time: random needs the grant random; without the grant clock, time is virtual */
int64_t dash_v1_clock_now(void) DASH_V1(clock_now);
int32_t dash_v1_random(void *buf, uint32_t len) DASH_V1(random);

#endif
