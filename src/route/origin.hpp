// Owns: the question whether a browser was told by another site to send a request (cross-site request forgery).
// Must not touch: files, sockets, the configuration. Pure.
#pragma once

#include "http/message.hpp"

namespace fcgate::route {

// True for a request that changes something (any method but GET, HEAD and OPTIONS) and comes from a page of another origin: by
// Sec-Fetch-Site, which browsers send to trustworthy origins; without it by Origin, whose host and port must be those of Host. A request
// without both is no browser's, or one from before 2020: it is not foreign.
[[nodiscard]] bool is_foreign(const RequestHead& head);

}  // namespace fcgate::route
