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
    0, 0, 0, 2, 1, 4, 27, 50, 115, 106, 77, 19, 20, 17, 2, 72,
};
// Those with the shortest codes first: a character, or two symbols that stand anywhere; "" is the end of a text.
constexpr std::string_view symbols[] = {
    "", " ", "s", ": ", "e", "s ", "the ", " is ", ", ", "-", "/", "_", "a", "a ", "c", "d", "e ", "ed", "er", "es ",
    "f", "g", "h", "i", "in", "it", "m", "o", "on", "p", "st", "t", "w", "y", "\n", " = ", " of ", " or ", "\"", "%",
    "%s", "%t", "%u", "(", ")", ", or ", ".", "0", "; ", ">", "E", "PHP ", "S", "T", "`", "al", "an ", "ar", "ch", "d ",
    "ed ", "es", "file", "folder", "for ", "in ", "ing", "it ", "its ", "k", "l", "le", "n", "no ", "not ", "php", "r",
    "re", "root", "start", "th", "that ", "to ", "v", " and ", "\":", "#", "%0", "%0 ", "%1", "%l", "%p", "(see `",
    ", and ", ".0", "1", "2", "4", ":", ": %m", "<", "</", "<tr><th>", "=", "?", "A", "C", "D", "F", "I", "L", "N", "P",
    "R", "[", "]", "`)", "able", "ad", "address", "all", "answer", "as ", "at", "b", "backend", "be", "be ", "body",
    "bu", "by ", "bytes", "cannot be ", "com", "connection", "di", "el", "en", "end", "ent", "er ", "fcgate", "fcgate ",
    "for", "get", "group", "has ", "head", "il", "is ", "ke", "lin", "listen", "ll", "lo", "log", "long", "low", "max_",
    "may ", "memory", "mo", "name", "ne", "no", "o ", "or", "or ", "out", "own", "php-fpm", "pool", "pro", "read",
    "request", "run", "s of ", "script", "serv", "server", "set", "t ", "tak", "ter", "this ", "to", "too ", "u", "un",
    "up", "us", "user", "ve ", "wait", "was ", "with ", "workers", "x", "y ", "%e", "'s ", "*", ", for example ",
    ", for example /", ",\"", ".1", "3", ":80", "; write ", "<td>", "<td>#", "=\"", "><", "></", "CGI", "H", "K", "M",
    "NAME", "O", "ON", "PHP", "PHP's ", "U", "X", "Y", "_timeout", "_timeout`)", "ac", "am", "and", "another ", "at ",
    "at mo", "behind ", "bo", "cannot ", "ce", "client", "co", "configuration", "connect", "contro", "doct", "er than ",
    "ev", "fi", "field", "from ", "ht", "index", "larg", "li", "libmicrohttp", "list", "load", "ma", "make ", "many ",
    "may not ", "me", "old", "only ", "op", "ort", "ou", "ould ", "pag", "path", "plac", "pt", "queue", "refuse",
    "repl", "response", "s_", "se", "section", "see ", "server.", "server.user", "socke", "span", "spawn", "status",
    "ther ", "there", "there is no ", "time", "tls_", "uch ", "und", "unk", "ur", "use", "ut", "value", "way", "wh",
    "what ", "whoever ", "without ", "work", "z", "}", "\"%e\"", "'", "+", ",", "--", "--bud", "-fpm", ".soc", "5", "6",
    "7", "8", "80", "9", ": %", "</h2><", "B", "G", "HTTP", "V", "W", "ab", "absolute path", "ack", "add", "again",
    "ame", "an", "ang", "ation", "back", "ch ", "chang", "charac", "con", "cor", "correct ", "ct", "ength", "et", "ex",
    "exam", "exchang", "j", "memory_", "memory_ceil", "mi", "more ", "more than ", "numb", "of", "of ", "ol", "open",
    "open_basedir", "other ", "pa", "ref", "ri", "ro", "room ", "runtime_dir", "section><h2>", "ser", "than ", "ther",
    "there is ", "ti", "tion", "tl", "um", "unix", "who", "writ", "write ", "{", "~", "(see ", "-f", "Q", "and ", "byt",
    "config", "cont", "ction", "for example ", "ga", "http", "ind", "mak", "onl", "pm", "q", "th>", "timeout", "tp",
    "@", "ans", "bud", "fold", "lib", "man", "mor", "ong", "pl", "que", "rect ", "req", "roo", "section><", "spa", "ue",
    "wa", "with", "wor", "wr", "&", "J", "ME", "\\", "ase", "beh", "dir", "gro", "ind ", "lar", "max", "mic", "ool",
    "respon", "sol", "stat", "time_", "yt", "|", "!", "$", "%e\"", ";", "<t", "= ", "GI", "NA", "PH", "TT", "TTP", "Z",
    "^", "addres", "aga", "answ", "bod", "can", "cg", "char", "cli", "conne", "cri", "d>", "ers", "fcg", "fcgat",
    "fiel", "fig", "for exam", "fro", "gth", "h2", "h2><", "he", "ith", "ld ", "m ", "memor", "memory_ce", "microhttp",
    "oc", "oct", "open_", "open_b", "open_base", "out ", "ph", "ple ", "r><", "r><th>", "rec", "res", "rohttp", "scri",
    "section><h2", "soc", "solute path", "sp", "spon", "star", "ta", "time_dir", "uest", "umb", "uni", "uration",
    "ute ", "ute path", "val", "whoev", "wn",
};
// clang-format on

}  // namespace fcgate::packing
