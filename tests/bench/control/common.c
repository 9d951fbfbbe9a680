/* SPDX-License-Identifier: Apache-2.0 */
#include <grpc/support/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/control/control.h"

void control_die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("bench-control: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

uint64_t control_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, CONTROL_MESSAGE_MAX);

	if (!f || !text || !fread(text, 1, CONTROL_MESSAGE_MAX - 1, f))
		control_die("%s: cannot be read", path);
	fclose(f);
	return text;
}

grpc_server_credentials *control_server_creds(const struct control *c)
{
	grpc_ssl_pem_key_cert_pair pair;
	grpc_server_credentials *creds;
	char *ca;

	if (!c->ca)
		return grpc_insecure_server_credentials_create();
	ca = read_file(c->ca);
	pair.cert_chain = read_file(c->certificate);
	pair.private_key = read_file(c->key);
	creds = grpc_ssl_server_credentials_create_ex(
		ca, &pair, 1, GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, NULL);
	free(ca);
	free((char *)pair.cert_chain);
	free((char *)pair.private_key);
	return creds;
}

grpc_channel_credentials *control_channel_creds(const struct control *c)
{
	grpc_ssl_pem_key_cert_pair pair;
	grpc_channel_credentials *creds;
	char *ca;

	if (!c->ca)
		return grpc_insecure_credentials_create();
	ca = read_file(c->ca);
	pair.cert_chain = read_file(c->certificate);
	pair.private_key = read_file(c->key);
	creds = grpc_ssl_credentials_create_ex(ca, &pair, NULL, NULL);
	free(ca);
	free((char *)pair.cert_chain);
	free((char *)pair.private_key);
	return creds;
}

grpc_byte_buffer *control_pack(const ProtobufCMessage *message)
{
	grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
	grpc_byte_buffer *buffer;

	protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
	buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buffer;
}

size_t control_bytes(grpc_byte_buffer *buffer, uint8_t *out)
{
	grpc_byte_buffer_reader reader;
	grpc_slice slice;
	size_t len = 0;

	if (!grpc_byte_buffer_reader_init(&reader, buffer))
		control_die("a message cannot be read");
	while (grpc_byte_buffer_reader_next(&reader, &slice)) {
		if (len + GRPC_SLICE_LENGTH(slice) > CONTROL_MESSAGE_MAX)
			control_die("a message is too large");
		memcpy(out + len, GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
		len += GRPC_SLICE_LENGTH(slice);
		grpc_slice_unref(slice);
	}
	grpc_byte_buffer_reader_destroy(&reader);
	return len;
}
