// Nothing leads here but Worker::call_ops() and the C ABI, so a program that calls no scripts links none of it.
#include "server/calls.hpp"

#include <algorithm>
#include <cstring>

#include "base/lock.hpp"
#include "http/message.hpp"

namespace fcgate::server {

namespace {

// Behind all keys of clients: calls take their turns at the gate as one of these.
constexpr uint64_t client_key_of_calls = UINT64_MAX;

// Reads the text at the front, and goes behind its NUL.
[[nodiscard]] std::string_view next_text(std::string_view& texts) {
    const std::string_view text = texts.data();
    texts = slice(texts, text.size() + 1);
    return text;
}

[[nodiscard]] bool has_variable(std::string_view variables, std::string_view name) {
    while (!variables.empty()) {
        const bool is_it = next_text(variables) == name;
        (void)next_text(variables);
        if (is_it) {
            return true;
        }
    }
    return false;
}

}  // namespace

void Calls::init(const Setup& setup) {
    setup_ = setup;
    pool_.init(setup.calls);
}

Status Calls::begin(const CallStart& start, Ticket* ticket) {
    if (setup_.calls.empty()) {
        return Status::malformed;
    }
    const Lock lock(&mutex_);
    if (closed_) {
        return Status::gone;
    }
    Call* const call = pool_.take();
    if (call == nullptr) {
        return Status::again;
    }
    if (!keep_texts(*call, start)) {
        pool_.give_back(*call);
        return Status::too_large;
    }
    call->calls = this;
    call->events = start.events;
    call->body = start.body;
    call->exchange = Handle();
    call->delivery = nullptr;
    call->fed = 0;
    call->status = 0;
    call->is_paused = false;
    call->is_woken = false;
    call->is_new = true;
    call->has_news = true;
    call->is_ended = false;
    if (ticket != nullptr) {
        *ticket = make_ticket(setup_.worker, TicketKind::call, SlotPool<Call>::handle(*call));
    }
    news_ = true;
    setup_.mailbox->ring();
    return Status::ok;
}

bool Calls::keep_texts(Call& call, const CallStart& start) const {
    TextBuffer out(setup_.texts.subspan(call.slot * setup_.text_size, setup_.text_size));
    const auto keep = [&](std::string_view text) { out.append(text).append('\0'); };
    const CallTexts& texts = start.texts;
    for (const std::string_view text : {texts.backend, texts.method, texts.file, texts.query, texts.content_type}) {
        keep(text);
    }
    for (const char* const* at = start.variables; at != nullptr && *at != nullptr; ++at) {
        keep(*at);
    }
    call.text_size = static_cast<uint32_t>(out.size());
    return out.ok();
}

CallTexts Calls::texts_of(const Call& call, std::string_view& variables) const {
    variables = {setup_.texts.data() + call.slot * setup_.text_size, call.text_size};
    CallTexts texts;
    texts.backend = next_text(variables);
    texts.method = next_text(variables);
    texts.file = next_text(variables);
    texts.query = next_text(variables);
    texts.content_type = next_text(variables);
    return texts;
}

CallTexts Calls::texts_of(const Call& call) const {
    std::string_view variables;
    return texts_of(call, variables);
}

Status Calls::announce(Ticket ticket, bool ends) {
    const Lock lock(&mutex_);
    Call* const call = pool_.find(handle_of(ticket, TicketKind::call));
    if (call == nullptr || call->is_ended) {
        return Status::gone;
    }
    call->is_ended = ends;
    call->has_news = true;
    news_ = true;
    setup_.mailbox->ring();
    return Status::ok;
}

Status Calls::wake(Ticket ticket) {
    return announce(ticket, false);
}

Status Calls::end(Ticket ticket) {
    return announce(ticket, true);
}

bool Calls::is_ended(const Call& call) {
    const Lock lock(&mutex_);
    return call.is_ended;
}

// Null when there is nothing new of that slot.
Call* Calls::take_news_of(size_t slot, bool& is_new, bool& is_ended) {
    const Lock lock(&mutex_);
    Call& call = pool_.all()[slot];
    if (!call.live || !call.has_news) {
        return nullptr;
    }
    is_new = call.is_new;
    is_ended = call.is_ended;
    call.has_news = false;
    call.is_new = false;
    return &call;
}

void Calls::look() {
    bool is_new = false;
    bool is_ended = false;
    // Each once: what callbacks begin or wake meanwhile rings anew, and one that does so always leaves the others their turn.
    for (size_t slot = 0; slot < pool_.most(); ++slot) {
        Call* const call = take_news_of(slot, is_new, is_ended);
        if (call == nullptr) {
            continue;
        }
        call->is_paused = false;
        if (is_ended) {
            conclude(*call, Status::gone, 0);
        } else if (is_new) {
            open(*call);
        } else {
            go_on(*call);
        }
    }
}

void Calls::open(Call& call) {
    static constexpr fastcgi::OwnerCalls owner_calls{
        .wake =
            [](void* context) {
                auto* const woken = static_cast<Call*>(context);
                woken->calls->put_on_list(*woken);
            },
        .write_params =
            [](void* handler, void* context, fastcgi::ParamsWriter& out) {
                return static_cast<Calls*>(handler)->write_params(*static_cast<const Call*>(context), out);
            },
        .describe =
            [](void* handler, void* context, TextBuffer& out) {
                const CallTexts texts = static_cast<Calls*>(handler)->texts_of(*static_cast<const Call*>(context));
                out.append("call of "_p).append_escaped(texts.file, 128);
            },
        .name_script =
            [](void* handler, void* context, TextBuffer& out) {
                out.append(static_cast<Calls*>(handler)->texts_of(*static_cast<const Call*>(context)).file);
            }};
    const CallTexts texts = texts_of(call);
    const Configuration& configuration = setup_.configuration(*setup_.owner);
    const size_t number = configuration.settings->find_backend(texts.backend);
    if (number == configuration.settings->backends.size()) {
        setup_.log->write<"call of %: there is no [backend%%]">(
            LogLevel::error, Escaped{texts.file, 128}, texts.backend.empty() ? "" : " ", Escaped{texts.backend, 60});
        conclude(call, Status::malformed, 0);
        return;
    }
    const fastcgi::ExchangeStart start{.backend = configuration.gates[number],
                                       .connection = setup_.first_delivery + call.slot,
                                       .trace = nullptr,
                                       .owner = {&owner_calls, this, &call},
                                       .site = 0,
                                       .script_memo = 0,
                                       .client_key = client_key_of_calls,
                                       .body_length = call.body.size(),
                                       .body_is_here = true,
                                       .is_safe = is_safe(texts.method),
                                       .is_head = texts.method == "HEAD",
                                       .wants_stream = false,
                                       .takes_early = true};
    fastcgi::Exchange* const exchange = setup_.upstream->open(start);
    if (exchange == nullptr) {
        const fastcgi::FaultText fault = fastcgi::text_of(fastcgi::Fault::exchanges_full);
        setup_.upstream->count(start.backend, fastcgi::Fault::exchanges_full);
        LogLine line(*setup_.log, LogLevel::warning);
        line.add<"call of %: %: %">(Escaped{texts.file, 128}, fault.status, fault.words);
        line.add_reason(fault.code).send();
        conclude(call, Status::io, fault.status);
        return;
    }
    call.exchange = SlotPool<fastcgi::Exchange>::handle(*exchange);
    setup_.upstream->begin(*exchange);
    go_on(call);
}

bool Calls::write_params(const Call& call, fastcgi::ParamsWriter& out) const {
    std::string_view variables;
    const CallTexts texts = texts_of(call, variables);
    const size_t name_begin = texts.file.rfind('/');
    const std::string_view folder = slice(texts.file, 0, name_begin);
    const std::string_view name = slice(texts.file, name_begin);
    const std::string_view uri[] = {name, texts.query.empty() ? "" : "?", texts.query};
    const auto add = [&](std::string_view variable, std::span<const std::string_view> parts) {
        if (!has_variable(variables, variable)) {
            out.add(variable, parts);
        }
    };
    const auto add_one = [&](std::string_view variable, std::string_view value) { add(variable, {&value, 1}); };
    out.add("SCRIPT_FILENAME", texts.file);
    out.add("REQUEST_METHOD", texts.method);
    if (!call.body.empty()) {
        Text<24> length;
        length.append_number(call.body.size());
        out.add("CONTENT_LENGTH", length.view());
    }
    add_one("DOCUMENT_ROOT", folder.empty() ? "/" : folder);
    add_one("SCRIPT_NAME", name);
    add("REQUEST_URI", uri);
    add_one("QUERY_STRING", texts.query);
    if (!texts.content_type.empty()) {
        add_one("CONTENT_TYPE", texts.content_type);
    }
    add_one("REDIRECT_STATUS", "200");
    add_one("GATEWAY_INTERFACE", "CGI/1.1");
    add_one("SERVER_PROTOCOL", "HTTP/1.1");
    add_one("SERVER_SOFTWARE", "fcgate/" FCGATE_BUILD_VERSION);
    while (!variables.empty()) {
        const std::string_view variable = next_text(variables);
        out.add(variable, next_text(variables));
    }
    return true;
}

void Calls::put_on_list(Call& call) {
    if (!call.is_woken) {
        call.is_woken = true;
        call.next_woken = woken_;
        woken_ = &call;
    }
}

void Calls::take_off_list(Call& call) {
    if (!call.is_woken) {
        return;
    }
    Call** at = &woken_;
    while (*at != &call) {
        at = &(*at)->next_woken;
    }
    *at = call.next_woken;
    call.is_woken = false;
}

void Calls::run() {
    // Each is off the list before it goes on, and who is woken meanwhile has the next turn.
    for (size_t left = pool_.capacity(); left > 0 && woken_ != nullptr; --left) {
        Call& call = *woken_;
        take_off_list(call);
        go_on(call);
    }
}

void Calls::go_on(Call& call) {
    using Phase = fastcgi::Exchange::Phase;
    fastcgi::Exchange* exchange = setup_.upstream->find(call.exchange);
    if (exchange != nullptr && call.fed < call.body.size()) {
        // When PHP has no room for the rest yet, a wake tells when it has. It may end by this.
        call.fed += setup_.upstream->feed(*exchange, call.body.subspan(call.fed));
        exchange = setup_.upstream->find(call.exchange);
    }
    if (call.delivery != nullptr) {
        give_output(call);
        return;
    }
    if (exchange == nullptr) {
        conclude(call, Status::io, 503);  // another request has taken its slot; the log has said so
        return;
    }
    if (exchange->phase == Phase::failed && exchange->failure_status >= 400) {
        conclude(call, Status::io, exchange->failure_status);
    } else if (exchange->response.head_done()) {
        call.status = exchange->response.head().status();
        call.events.head(call.events, exchange->response.head());
        call.delivery = &setup_.upstream->deliver(*exchange);
        give_output(call);
    }
}

void Calls::give_output(Call& call) {
    fastcgi::Delivery& delivery = *call.delivery;
    for (;;) {
        // By one of the callbacks, perhaps.
        if (is_ended(call)) {
            conclude(call, Status::gone, 0);
            return;
        }
        if (call.is_paused) {
            return;
        }
        const std::span<const char> piece = setup_.upstream->front(delivery);
        if (piece.empty()) {
            break;
        }
        const ptrdiff_t result = call.events.output(call.events, piece);
        if (result < 0) {
            conclude(call, Status::gone, 0);
            return;
        }
        const size_t taken = std::min(static_cast<size_t>(result), piece.size());
        call.is_paused = taken < piece.size();
        setup_.upstream->took(delivery, taken);
    }
    const ptrdiff_t rest = setup_.upstream->read(delivery, {});
    if (rest < 0) {
        conclude(call, rest == BodyReader::end ? Status::ok : Status::io, call.status);
    }
}

void Calls::conclude(Call& call, Status result, uint16_t status) {
    if (fastcgi::Exchange* const exchange = setup_.upstream->find(call.exchange); exchange != nullptr) {
        setup_.upstream->close(*exchange);
    }
    setup_.upstream->finish_delivery(setup_.first_delivery + call.slot);
    take_off_list(call);
    const CallEvents events = call.events;
    {
        const Lock lock(&mutex_);
        pool_.give_back(call);
    }
    events.ended(events, result, status);
}

Call* Calls::any() {
    const Lock lock(&mutex_);
    for (Call& call : pool_.all()) {
        if (call.live) {
            return &call;
        }
    }
    return nullptr;
}

void Calls::stop(bool at_once) {
    {
        const Lock lock(&mutex_);
        closed_ = true;
    }
    while (at_once) {
        Call* const call = any();
        if (call == nullptr) {
            return;
        }
        conclude(*call, Status::gone, 0);
    }
}

}  // namespace fcgate::server
