// Owns: the fragments for which packed texts have one byte each (base/packing.hpp). Printed by scripts/choose-fragments, from our texts as they were.
// Must not touch: anything. In another order or with others all texts stay what they are; they only take more or less room.
#pragma once

#include <string_view>

namespace fcgate::packing {

// Each is two characters, or one, or none, and fragments that stand before it.
// clang-format off
constexpr std::string_view fragments[] = {
    "e ", "s ", "th", "t ", "er", "or", "on", "re", "an", "in", "d ", ", ", "no", "st", ": ", "se", "the ", "or ", "at",
    "en", "ar", "er ", "ro", "it", "is ", "y ", "a ", "ti", "not ", "  ", "to", "ma", "le", "ol", "me", "ser", "of",
    "li", "fi", "ne", "ch", "of ", "con", "lo", "as ", "at ", "cg", "; ", "un", "es", "ad", "fcg", "fcgat", "serv",
    "<t", "es ", "ac", "for ", "it ", "><", "tion", "ou", "ex", "ed", "be ", "am", "ction", "to ", "sp", "ing", "can",
    "and ", "%0", "le ", "in ", "star", "no ", "ll", "PH", "PHP", "ph", "php", "roo", "that ", ", or ", "ue", "see ",
    "be", "conne", "ri", "old", "di", "us", "wh", "bo", "pa", "o ", "not be ", "mor", "fold", "= ", "fcgate ", "an ",
    "    ", "ke", "d>", "<td>", "may ", "list", "ther", "start", "server", "fcgate", "--", "wi", "on ", "ab", "rip",
    "m ", "crip", "ack", "PHP ", "up", "th ", "ge", "exam", "(see ", "que", "connection", "al", "ed ", "by ", "th>",
    "r><", "r><th>", "memor", "has ", "ct", "back", "`)", "<tr><th>", "(see `", "%s", "wor", "wn", "res", "op", "mo",
    "log", "scrip", "ple ", "listen", "ht", "for exam", "for example ", "ers", "co", "bu",
};
// clang-format on

}  // namespace fcgate::packing
