/*
 * libfcgate for C++17: handles that free themselves, methods as handlers, string views. All of it is inline over
 * fcgate/fcgate.h, whose rules hold: it throws nothing, allocates nothing and needs nothing of a C++ library at run time.
 *
 *     struct Panel {
 *         void uptime(fcgate::Request request) { request.reply(200, "text/plain", "1\n"); }
 *     };
 *
 *     Panel panel;
 *     fcgate::Error error;
 *     fcgate::Settings settings;
 *     if (settings.set("site.root", "/www", &error) && settings.set("server.listen", ":80", &error)) {
 *         fcgate::Server server(std::move(settings), &error);
 *         if (server && server.handle<&Panel::uptime>("/uptime", panel) == FCGATE_OK && server.start(&error) == FCGATE_OK) {
 *             server.wait();
 *         }
 *     }
 *
 * Text that is taken as `const char*` ends with a NUL; bodies are views, of any bytes. Text that is given is as long as it
 * says, and lives as long as fcgate.h says. An object that handlers belong to must outlive the server.
 */
#ifndef FCGATE_FCGATE_HPP
#define FCGATE_FCGATE_HPP

#include <string_view>
#include <utility>

#include "fcgate/call.h"
#include "fcgate/fcgate.h"

namespace fcgate {

namespace detail {
inline std::string_view view(const char* text) {
    return text != nullptr ? std::string_view(text) : std::string_view();
}
}  // namespace detail

/* What is wrong, in one sentence. */
struct Error : fcgate_error {
    Error() : fcgate_error{FCGATE_NO_MEMORY, 0, "out of memory"} {}
    std::string_view message() const { return text; }
};

/* Names a kept request; a plain value for any thread. Its server must be there still. */
class Ticket {
  public:
    Ticket() = default;
    Ticket(fcgate_server* server, fcgate_ticket number) : server_(server), number_(number) {}

    fcgate_ticket number() const { return number_; }
    int header(const char* name, const char* value) const { return fcgate_later_header(server_, number_, name, value); }
    int reply(unsigned status, const char* type, std::string_view body) const {
        return fcgate_later_reply(server_, number_, status, type, body.data(), body.size());
    }
    int file(unsigned status, const char* type, int fd, long long offset, long long length) const {
        return fcgate_later_file(server_, number_, status, type, fd, offset, length);
    }
    int begin(unsigned status, const char* type, long long length = FCGATE_UNKNOWN) const {
        return fcgate_later_begin(server_, number_, status, type, length);
    }
    ptrdiff_t write(std::string_view bytes) const {
        return fcgate_later_write(server_, number_, bytes.data(), bytes.size());
    }
    int end() const { return fcgate_later_end(server_, number_); }
    int wake() const { return fcgate_wake(server_, number_); }

  private:
    fcgate_server* server_ = nullptr;
    fcgate_ticket number_ = 0;
};

/* A request, until its callback returns. */
class Request {
  public:
    explicit Request(fcgate_request* request) : request_(request) {}

    fcgate_request* get() const { return request_; }
    std::string_view method() const { return fcgate_request_method(request_); }
    std::string_view path() const { return fcgate_request_path(request_); }
    std::string_view client() const { return fcgate_request_client(request_); }
    long long length() const { return fcgate_request_length(request_); }
    /* Empty also when there is none; data() is then nullptr. */
    std::string_view query() const { return detail::view(fcgate_request_query(request_)); }
    std::string_view header(const char* name) const { return detail::view(fcgate_request_header(request_, name)); }
    int param(const char* name, const char* value) { return fcgate_request_param(request_, name, value); }

    int reply_header(const char* name, const char* value) { return fcgate_reply_header(request_, name, value); }
    int reply(unsigned status, const char* type, std::string_view body) {
        return fcgate_reply(request_, status, type, body.data(), body.size());
    }
    int reply_static(unsigned status, const char* type, std::string_view body) {
        return fcgate_reply_static(request_, status, type, body.data(), body.size());
    }
    int reply_file(unsigned status, const char* type, int fd, long long offset, long long length) {
        return fcgate_reply_file(request_, status, type, fd, offset, length);
    }
    int reply_path(const char* path) { return fcgate_reply_path(request_, path); }
    int pass() { return fcgate_pass(request_); }

    /* News(Ticket number, int news) is a method of `object`, which later callbacks of this request belong to as well. */
    template <auto News, class T>
    int keep(T& object, fcgate_ticket* number = nullptr) {
        const fcgate_notice notice = [](void* context, fcgate_ticket ticket, int news) {
            (static_cast<T*>(context)->*News)(ticket, news);
        };
        return fcgate_keep(request_, notice, &object, number);
    }
    /* Piece(std::string_view) tells what it takes, as a fcgate_receiver; Then(Request) replies. Methods of the object given
     * to keep(). */
    template <class T, auto Piece, auto Then>
    int receive() {
        const fcgate_receiver receiver = [](void* context, const void* bytes, size_t length) -> ptrdiff_t {
            return (static_cast<T*>(context)->*Piece)(std::string_view(static_cast<const char*>(bytes), length));
        };
        return fcgate_receive(request_, receiver, &call<T, Then>);
    }
    /* Pull(char*, size_t) makes the body, as a fcgate_puller. A method of the object given to keep(). */
    template <class T, auto Pull>
    int reply_pull(unsigned status, const char* type, long long length = FCGATE_UNKNOWN) {
        const fcgate_puller puller = [](void* context, char* bytes, size_t size) -> ptrdiff_t {
            return (static_cast<T*>(context)->*Pull)(bytes, size);
        };
        return fcgate_reply_pull(request_, status, type, length, puller);
    }

    /* The C handler of a method. */
    template <class T, auto Method>
    static void call(void* context, fcgate_request* request) {
        (static_cast<T*>(context)->*Method)(Request(request));
    }

  private:
    fcgate_request* request_;
};

/* The head of a script's answer to a call, until its callback returns. */
class Answer {
  public:
    explicit Answer(const fcgate_answer* answer) : answer_(answer) {}

    const fcgate_answer* get() const { return answer_; }
    unsigned status() const { return fcgate_answer_status(answer_); }
    long long length() const { return fcgate_answer_length(answer_); }
    /* Empty also when there is none; data() is then nullptr. */
    std::string_view header(const char* name) const { return detail::view(fcgate_answer_header(answer_, name)); }

  private:
    const fcgate_answer* answer_;
};

/* A configuration in the making; empty once a server has taken it over, or without memory. */
class Settings {
  public:
    Settings() : settings_(fcgate_settings_create()) {}
    Settings(Settings&& other) noexcept : settings_(std::exchange(other.settings_, nullptr)) {}
    Settings& operator=(Settings&& other) noexcept {
        std::swap(settings_, other.settings_);
        return *this;
    }
    Settings(const Settings&) = delete;
    Settings& operator=(const Settings&) = delete;
    ~Settings() { fcgate_settings_destroy(settings_); }

    explicit operator bool() const { return settings_ != nullptr; }
    fcgate_settings* get() const { return settings_; }
    fcgate_settings* release() { return std::exchange(settings_, nullptr); }

    /* True when it was taken. */
    bool set(const char* name, const char* value, Error* error = nullptr) {
        return fcgate_set(settings_, name, value, error) == FCGATE_OK;
    }
    bool load(const char* path, Error* error = nullptr) { return fcgate_load(settings_, path, error) == FCGATE_OK; }
    bool check(Error* error = nullptr) { return fcgate_check(settings_, error) == FCGATE_OK; }
    bool room(unsigned requests, size_t buffer, size_t params) {
        return fcgate_settings_set_room(settings_, requests, buffer, params) == FCGATE_OK;
    }
    bool calls(unsigned calls, size_t text) { return fcgate_settings_set_calls(settings_, calls, text) == FCGATE_OK; }

  private:
    fcgate_settings* settings_;
};

/* A server; empty when it could not be made. Destroying it ends it. */
class Server {
  public:
    Server() = default;
    /* Takes the settings when it succeeds, and leaves them when it fails. */
    explicit Server(Settings&& settings, Error* error = nullptr) : server_(fcgate_create(settings.get(), error)) {
        if (server_ != nullptr) {
            (void)settings.release();
        }
    }
    Server(Server&& other) noexcept : server_(std::exchange(other.server_, nullptr)) {}
    Server& operator=(Server&& other) noexcept {
        std::swap(server_, other.server_);
        return *this;
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() { fcgate_destroy(server_); }

    explicit operator bool() const { return server_ != nullptr; }
    fcgate_server* get() const { return server_; }
    Ticket ticket(fcgate_ticket number) const { return {server_, number}; }

    int listener(size_t index, char* buffer, size_t size) const {
        return fcgate_listener(server_, index, buffer, size);
    }

    /* Method(Request) of `object`. */
    template <auto Method, class T>
    int handle(const char* prefix, T& object) {
        return fcgate_handle(server_, prefix, &Request::call<T, Method>, &object);
    }
    template <auto Method, class T>
    int on_request(T& object) {
        return fcgate_on_request(server_, &Request::call<T, Method>, &object);
    }
    /* Method(const fcgate_finished&) of `object`. */
    template <auto Method, class T>
    int on_finished(T& object) {
        const fcgate_finished_callback callback = [](void* context, const fcgate_finished* finished) {
            (static_cast<T*>(context)->*Method)(*finished);
        };
        return fcgate_on_finished(server_, callback, &object);
    }

    /* Runs a script; `caller` has the methods head(Answer), output(std::string_view), which tells what it has taken as a
     * fcgate_caller does, and ended(int result, unsigned status). It must be there until then. */
    template <class T>
    int call(const fcgate_script& script, T& caller, fcgate_ticket* number = nullptr) {
        static constexpr fcgate_caller functions = {
            [](void* context, const fcgate_answer* answer) { static_cast<T*>(context)->head(Answer(answer)); },
            [](void* context, const void* bytes, size_t length) -> ptrdiff_t {
                return static_cast<T*>(context)->output(std::string_view(static_cast<const char*>(bytes), length));
            },
            [](void* context, int result, unsigned status) { static_cast<T*>(context)->ended(result, status); }};
        return fcgate_call(server_, &script, &functions, &caller, number);
    }

    int start(Error* error = nullptr) { return fcgate_start(server_, error); }
    int run(Error* error = nullptr) { return fcgate_run(server_, error); }
    int fd(Error* error = nullptr) { return fcgate_fd(server_, error); }
    int timeout_ms() const { return fcgate_timeout_ms(server_); }
    int dispatch(Error* error = nullptr) { return fcgate_dispatch(server_, error); }
    void stop(int deadline_ms = -1) { fcgate_stop(server_, deadline_ms); }
    int wait(int timeout_ms = -1, Error* error = nullptr) { return fcgate_wait(server_, timeout_ms, error); }
    /* Takes the settings when it succeeds. */
    int reload(Settings&& settings, Error* error = nullptr) {
        const int result = fcgate_reload(server_, settings.get(), error);
        if (result == FCGATE_OK) {
            (void)settings.release();
        }
        return result;
    }

  private:
    fcgate_server* server_ = nullptr;
};

}  // namespace fcgate

#endif
