// The part of Upstream that gives PHP's output to clients.
#include "fastcgi/upstream.hpp"

namespace fcgate::fastcgi {

Delivery& Upstream::deliver(Exchange& exchange) {
    Delivery& delivery = setup_.deliveries[exchange.start.connection];
    delivery.upstream = this;
    delivery.exchange = SlotPool<Exchange>::handle(exchange);
    delivery.is_cut = false;
    exchange.reply_begun = true;
    hand_over(exchange);
    return delivery;
}

// An exchange that has ended, and whose reply has begun, is needed no more but for the output that its client has not taken: with that
// gone, it is free for another request. It stays while all pages are in use but those that exchanges are guaranteed.
void Upstream::hand_over(Exchange& exchange) {
    Delivery& delivery = setup_.deliveries[exchange.start.connection];
    if (!exchange.is_over() || !exchange.reply_begun || exchange.is_orphan ||
        !exchange.response.hand_over(delivery.output)) {
        return;
    }
    delivery.is_cut = exchange.phase == Exchange::Phase::failed || exchange.response.is_cut_short();
    delivery.exchange = Handle();
    release(exchange);
}

bool Upstream::may_send_whole(const Delivery& delivery, uint64_t length) {
    constexpr uint64_t most = limits::reply_pieces * sizeof(Page::bytes);
    return exchanges_.find(delivery.exchange) == nullptr && !delivery.is_cut && delivery.output.size() == length &&
           length <= most && setup_.pages->shared_left() >= setup_.pages->capacity() / 2;
}

// Hands output to the client's side. What it takes makes room for more.
ptrdiff_t Upstream::read(Delivery& delivery, std::span<char> room) {
    Exchange* const exchange = exchanges_.find(delivery.exchange);
    if (exchange == nullptr) {
        const size_t count = delivery.output.read(room);
        if (count > 0) {
            return static_cast<ptrdiff_t>(count);
        }
        return delivery.is_cut ? BodyReader::failed : BodyReader::end;
    }
    const size_t count = exchange->response.read(room);
    go_on_reading(*exchange, count);
    if (count > 0) {
        return static_cast<ptrdiff_t>(count);
    }
    if (!exchange->is_over()) {
        return 0;
    }
    return exchange->phase == Exchange::Phase::failed || exchange->response.is_cut_short() ? BodyReader::failed
                                                                                           : BodyReader::end;
}

// What was taken has made room. The exchange may be gone afterwards.
void Upstream::go_on_reading(Exchange& exchange, size_t taken) {
    if (exchange.read_blocked && exchange.response.room() > 0) {
        put_on_worklist(exchange);
    }
    if (taken > 0) {
        hand_over(exchange);
    }
}

std::span<const char> Upstream::front(const Delivery& delivery) {
    const Exchange* const exchange = exchanges_.find(delivery.exchange);
    return exchange != nullptr ? exchange->response.front() : delivery.output.front();
}

void Upstream::took(Delivery& delivery, size_t count) {
    Exchange* const exchange = exchanges_.find(delivery.exchange);
    if (exchange == nullptr) {
        delivery.output.drop(count);
        return;
    }
    exchange->response.drop(count);
    go_on_reading(*exchange, count);
}

bool Upstream::has_output(const Delivery& delivery) {
    const Exchange* const exchange = exchanges_.find(delivery.exchange);
    return (exchange != nullptr ? exchange->response.output_size() : delivery.output.size()) > 0;
}

}  // namespace fcgate::fastcgi
