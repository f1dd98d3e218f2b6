// A response that libmicrohttpd has ready in memory: how fast fcgate's HTTP could be at all. ready PORT SIZE
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static enum MHD_Result answer(void* context, struct MHD_Connection* connection, const char* url, const char* method,
                              const char* version, const char* body, size_t* body_size, void** state) {
    (void)url, (void)method, (void)version, (void)body, (void)body_size;
    if (*state == NULL) {
        // A reply to the first call would end the connection.
        *state = connection;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, context);
}

int main(int count, char** arguments) {
    if (count != 3) {
        return 2;
    }
    const size_t size = strtoul(arguments[2], NULL, 10);
    char* const bytes = malloc(size);
    memset(bytes, 'x', size);
    struct MHD_Response* const response = MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_MUST_FREE);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct MHD_Daemon* const daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_THREAD_SAFETY, 0, NULL, NULL, answer, response, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_CONNECTION_LIMIT, 1200U, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)20480, MHD_OPTION_END);
    if (daemon == NULL) {
        return 1;
    }
    while (MHD_run_wait(daemon, -1) == MHD_YES) {}
    return 1;
}
