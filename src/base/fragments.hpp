// Owns: the symbols that packed texts are made of (base/packing.hpp), and the length of the code of each. Printed by scripts/choose-fragments, from
// our texts as they were.
// Must not touch: anything. With others all texts stay what they are; they only take more or less room.
#pragma once

#include <cstdint>
#include <string_view>

namespace fcgate::packing {

// clang-format off
// How many symbols have a code of one bit, of two, and so on.
constexpr uint8_t code_counts[] = {
    0, 0, 0, 2, 1, 6, 21, 55, 112, 115, 62, 20, 19, 23, 0, 76,
};
// Those with the shortest codes first: a character, or two symbols that stand anywhere; "" is the end of a text.
constexpr std::string_view symbols[] = {
    "", " ", "s", ": ", "_", "a", "e", "s ", "the ", "\"", ", ", "-", "/", "a ", "c", "d", "e ", "ed", "f", "g", "h",
    "i", "in", "it", "k", "m", "p", "t", "w", "y", " = ", " is ", " of ", "%s", "%t", "%u", "(", ")", ", or ", ".", "0",
    "; ", "</", "=", ">", "E", "PHP ", "S", "T", "al", "an ", "ar", "ce", "ch", "d ", "ed ", "en", "ent", "er", "es",
    "es ", "file", "folder", "for ", "il", "in ", "ing", "it ", "l", "le", "n", "not ", "o", "on", "or ", "r", "re",
    "root", "st", "start", "th", "that ", "to ", "un", "v", "\n", " and ", "\":", "#", "%", "%0", "%0 ", "%1", "%e",
    "%p", "(see `", ",", ", and ", ".0", "1", "2", "4", ":", ": %m", "<", "<td>#", "<tr><th>", "?", "A", "C", "D", "I",
    "L", "N", "P", "R", "[", "]", "_timeout", "`", "`)", "able", "address", "as ", "at", "backend", "be", "be ", "body",
    "bu", "by ", "bytes", "cannot be ", "com", "connection", "ct", "di", "do", "end", "er ", "fcgate", "fcgate ", "for",
    "get", "has ", "head", "is ", "its ", "ke", "l ", "lin", "listen", "lo", "log", "long", "low", "ma", "max_", "may ",
    "me", "memory", "name", "ne", "no", "no ", "o ", "one", "ost", "ou", "out", "own", "php", "php-fpm", "pool", "pro",
    "read", "request", "run", "s of ", "script", "serv", "server", "set", "t ", "tak", "ter", "this ", "to", "too ",
    "u", "up", "user", "ve ", "was ", "with ", "workers", "x", "%l", "'s ", ", for example ", ", for example /", ".1",
    "3", "6", ":80", "; write ", "<td>", "><", "CGI", "F", "H", "HTTP", "NAME", "O", "ON", "PHP", "PHP's ", "U", "X",
    "Y", "ac", "all ", "am", "ame", "and", "another ", "answer", "at ", "at most ", "b", "behind ", "bo", "cannot ",
    "ch ", "client", "co", "con", "configuration", "connect", "cor", "el", "er than ", "ev", "exchang", "fi", "field",
    "from ", "group", "ht", "index", "is no ", "larg", "li", "libmicrohttp", "list", "load", "many ", "may not ", "mi",
    "mo", "more ", "old", "only ", "op", "or", "ort", "ose ", "pag", "path", "place", "pt", "queue", "rect ", "refuse",
    "repl", "response", "room ", "s_", "se", "section", "see ", "self", "server.", "server.user", "si", "socke",
    "span>", "spawn", "st ", "status", "than ", "ther", "ther ", "there ", "there is no ", "time", "tls_", "uch ",
    "ull", "ur", "us", "use", "ut", "value", "wait", "way", "wh", "what ", "without ", "work", "y ", "}", "'", "+",
    "--", "--bud", "5", "7", "8", "80", "9", "B", "K", "M", "V", "W", "a re", "absolute path", "ack", "ad", "add", "an",
    "ation", "back", "chang", "charac", "contro", "error", "ex", "exam", "ge", "h2>", "http", "j", "numb", "of", "of ",
    "ol", "ont", "ont_controll", "open", "open_basedir", "other ", "php-", "ref", "ri", "ro", "runtime_dir",
    "section><h2>", "ser", "siz", "small", "that needs a re", "ti", "tion", "tl", "typ", "um", "who", "whoever ",
    "writ", "write ", "{", "~", "(see ", "G", "ab", "ang", "at mo", "byt", "cont", "ction", "ers", "for example ", "fp",
    "he", "ind", "needs ", "pa", "q", "so", "soc", "timeout", "tp", "*", "Q", "and ", "ans", "bud", "config", "lib",
    "man", "ong", "onl", "pl", "req", "roo", "section><", "spa", "stat", "wor", "wr", "z", "&", "@", "J", "ME", "\\",
    "beh", "controll", "dir", "err", "fold", "gro", "ind ", "lar", "max", "mic", "mor", "ool", "que", "respon", "sol",
    "time_", "ue", "with", "!", "$", ": %", ";", "<t", "= ", "GI", "NA", "PH", "TT", "TTP", "Z", "^", "addres", "answ",
    "bod", "can", "cg", "char", "cli", "conne", "cri", "d>", "fcg", "fcgat", "fiel", "fig", "for exam", "fro", "h2",
    "ith", "ll", "m ", "memor", "microhttp", "need", "ont_", "open_", "open_b", "open_ba", "out ", "ph", "php-fp",
    "plac", "ple ", "r><", "r><th>", "rec", "res", "rohttp", "scri", "se ", "sedir", "sel", "sma", "solute path", "sp",
    "span", "spon", "star", "ta", "th>", "that needs ", "time_dir", "uest", "umb", "uration", "ute ", "ute path", "val",
    "wa", "whoev", "wn", "yp", "yt", "|",
};
// clang-format on

}  // namespace fcgate::packing
