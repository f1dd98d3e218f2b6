#include "http_client.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"

namespace fcgate::test {

namespace {

[[nodiscard]] bool split_field(std::string_view line, std::string_view& name, std::string_view& value) {
    const size_t colon = line.find(':');
    name = slice(line, 0, colon);
    value = colon == std::string_view::npos ? std::string_view() : trim(slice(line, colon + 1));
    return colon != std::string_view::npos && is_token(name);
}

// Calls `visit(name, value)` for every field of a head; false when a line is none.
template <typename Visit>
[[nodiscard]] bool for_each_field(std::string_view head, Visit visit) {
    size_t at = head.find("\r\n") + 2;
    while (at + 2 < head.size()) {
        const size_t end = head.find("\r\n", at);
        std::string_view name;
        std::string_view value;
        if (!split_field(slice(head, at, end - at), name, value)) {
            return false;
        }
        visit(name, value);
        at = end + 2;
    }
    return true;
}

}  // namespace

std::string_view HttpReply::field(std::string_view wanted, size_t n) const {
    std::string_view found;
    size_t seen = 0;
    (void)for_each_field(head.view(), [&](std::string_view name, std::string_view value) {
        if (equals_ignore_case(name, wanted) && seen++ == n) {
            found = value;
        }
    });
    return found;
}

size_t HttpReply::count(std::string_view wanted) const {
    size_t seen = 0;
    (void)for_each_field(head.view(), [&](std::string_view name, std::string_view /*value*/) {
        seen += equals_ignore_case(name, wanted) ? 1U : 0U;
    });
    return seen;
}

bool HttpReply::closes() const {
    return equals_ignore_case(field("Connection"), "close");
}

bool Client::connect(const Address& to, std::string_view source, int receive_buffer) {
    reply_ = create<HttpReply>();
    fd_ = socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
        (void)setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    if (!source.empty()) {
        const Address from = tcp_address(source, 0);
        if (bind(fd_, from.get(), from.length) != 0) {
            return false;
        }
    }
    return ::connect(fd_, to.get(), to.length) == 0;
}

void Client::close() {
    if (fd_ >= 0) {
        ::close(fd_);
        fd_ = -1;
    }
    destroy(reply_);
    reply_ = nullptr;
}

void Client::reset() {
    reset_connection(fd_);
    fd_ = -1;
}

bool Client::more(int64_t deadline) {
    if (ended_) {
        return false;
    }
    const Receipt receipt = receive(fd_, input_, deadline);
    if (receipt == Receipt::end || receipt == Receipt::reset) {
        ended_ = true;
        if (step_ == Step::to_end && receipt == Receipt::end) {
            take(input_.size());
            step_ = Step::done;
            reply_->whole = true;
        }
    }
    return receipt == Receipt::bytes;
}

bool Client::read_head(bool to_head, int64_t deadline) {
    destroy(reply_);
    reply_ = create<HttpReply>();
    step_ = Step::idle;
    begun_ = true;
    while (step_ == Step::idle) {
        const size_t end = input_.view().find("\r\n\r\n");
        if (end != std::string_view::npos) {
            reply_->head.clear();
            reply_->head.append(slice(input_.view(), 0, end + 4));
            input_.drop_front(end + 4);
            parse_head(to_head);
        } else if (!more(deadline)) {
            return false;
        }
    }
    return !reply_->malformed;
}

void Client::parse_head(bool to_head) {
    const std::string_view head = reply_->head.view();
    const Result<uint64_t> status = parse_decimal(slice(head, 9, 3));
    const bool is_head = slice(head, 0, 9) == "HTTP/1.1 " && status.ok() && slice(head, 12, 1) == " ";
    if (!is_head || !for_each_field(head, [](std::string_view, std::string_view) {})) {
        reply_->malformed = true;
        step_ = Step::done;
        return;
    }
    if (status.value() < 200) {
        ++reply_->interim;
        return;
    }
    reply_->status = static_cast<unsigned>(status.value());
    choose_framing(to_head);
}

// RFC 9112 section 6.3.
void Client::choose_framing(bool to_head) {
    const bool has_length = reply_->count("Content-Length") > 0;
    const bool is_chunked = reply_->count("Transfer-Encoding") > 0;
    const Result<uint64_t> length = parse_decimal(reply_->field("Content-Length"));
    reply_->length = length.ok() ? length.value() : 0;
    reply_->malformed = reply_->count("Content-Length") > 1 || (has_length && !length.ok()) ||
                        (has_length && is_chunked) ||
                        (is_chunked && !equals_ignore_case(reply_->field("Transfer-Encoding"), "chunked"));
    left_ = reply_->length;
    if (reply_->malformed || to_head || reply_->status == 204 || reply_->status == 304) {
        step_ = Step::done;
    } else if (is_chunked) {
        reply_->framing = HttpReply::Framing::chunked;
        step_ = Step::size_line;
    } else if (has_length) {
        reply_->framing = HttpReply::Framing::length;
        step_ = left_ == 0 ? Step::done : Step::counted;
    } else {
        reply_->framing = HttpReply::Framing::close;
        step_ = Step::to_end;
    }
    reply_->whole = step_ == Step::done && !reply_->malformed;
}

void Client::take(size_t size) {
    reply_->body.append(slice(input_.view(), 0, size));
    input_.drop_front(size);
}

bool Client::digest_line() {
    const size_t end = input_.view().find("\r\n");
    if (end == std::string_view::npos) {
        return false;
    }
    const std::string_view line = slice(input_.view(), 0, end);
    if (step_ == Step::size_line) {
        left_ = 0;
        reply_->malformed = line.empty() || line.size() > 8;
        for (const char c : line) {
            reply_->malformed = reply_->malformed || hex_value(c) < 0;
            left_ = left_ * 16 + static_cast<uint64_t>(hex_value(c));
        }
        step_ = left_ == 0 ? Step::trailer : Step::chunk;
    } else if (step_ == Step::chunk_end) {
        reply_->malformed = !line.empty();
        step_ = Step::size_line;
    } else if (line.empty()) {
        step_ = Step::done;
        reply_->whole = true;
    }
    if (reply_->malformed) {
        step_ = Step::done;
    }
    input_.drop_front(end + 2);
    return true;
}

bool Client::digest() {
    switch (step_) {
        case Step::size_line:
        case Step::chunk_end:
        case Step::trailer:
            return digest_line();
        case Step::chunk:
        case Step::counted: {
            const auto size = static_cast<size_t>(std::min<uint64_t>(left_, input_.size()));
            take(size);
            left_ -= size;
            if (left_ == 0) {
                reply_->whole = step_ == Step::counted;
                step_ = step_ == Step::counted ? Step::done : Step::chunk_end;
                return true;
            }
            return false;
        }
        case Step::to_end:
            take(input_.size());
            return false;
        case Step::idle:
        case Step::done:
            break;
    }
    return false;
}

bool Client::read_body(size_t size, int64_t deadline) {
    while (step_ != Step::done && reply_->body.size() < size) {
        if (!digest() && reply_->body.size() < size && !more(deadline)) {
            break;
        }
    }
    return reply_->body.size() >= size;
}

bool Client::read(bool to_head, int64_t deadline) {
    if (!begun_ && !read_head(to_head, deadline)) {
        return false;
    }
    begun_ = false;
    while (step_ != Step::done) {
        if (!digest() && !more(deadline)) {
            break;
        }
    }
    return reply_->whole;
}

Receipt Client::next(int64_t deadline) {
    return input_.empty() ? receive(fd_, input_, deadline) : Receipt::bytes;
}

bool Client::read_to_end(int64_t deadline) {
    while (more(deadline)) {}
    return ended_;
}

bool Client::is_closed(int64_t deadline) {
    if (ended_) {
        return input_.empty();
    }
    const Receipt receipt = next(deadline);
    return receipt == Receipt::end || receipt == Receipt::reset;
}

}  // namespace fcgate::test
