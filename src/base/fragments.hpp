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
    0, 0, 0, 2, 1, 5, 22, 57, 110, 113, 74, 23, 17, 16, 0, 72,
};
// Those with the shortest codes first: a character, or two symbols that stand anywhere; "" is the end of a text.
constexpr std::string_view symbols[] = {
    "", " ", "s", ": ", "a", "e", "s ", "the ", " is ", ", ", "-", "/", "_", "a ", "c", "d", "e ", "ed", "f", "g", "i",
    "in", "it", "k", "on", "p", "st", "t", "w", "y", "\n", " (", " = ", " of ", " or ", "\"", "%", "%s", "%t", "%u",
    ")", ", or ", ".", "0", "; ", "</", ">", "E", "PHP ", "S", "T", "`", "al", "ar", "ch", "d ", "ed ", "en", "er",
    "es", "es ", "file", "folder", "for ", "h", "in ", "ing", "it ", "its ", "l", "le", "ll", "m", "n", "no ", "not ",
    "o", "php", "r", "re", "root", "start", "th", "that ", "to ", "u", "v", " and ", "\":", "#", "%0", "%0 ", "%1",
    "%p", "(see `", ", and ", ".0", "1", "2", "4", ":", ": %m", "<", "<tr><th>", "=", "?", "A", "C", "D", "F", "I", "L",
    "N", "P", "R", "[", "]", "`)", "able", "address", "an ", "answer", "as ", "at", "b", "backend", "be", "be ", "body",
    "bu", "by ", "bytes", "cannot be ", "ce", "com", "connection", "di", "em", "end", "ent", "er ", "fcgate", "fcgate ",
    "for", "get", "group", "has ", "head", "ho", "id", "il", "is ", "ke", "l ", "lin", "listen", "lo", "log", "long",
    "low", "ma", "max_", "memory", "mo", "name", "ne", "no", "o ", "or", "out", "own", "php-fpm", "pool", "pro", "read",
    "request", "run", "s of ", "script", "serv", "server", "set", "t ", "tak", "ter", "this ", "to", "too ", "un", "up",
    "us", "user", "ve ", "was ", "with ", "x", "y ", "%e", "%l", "'s ", "*", ", for example ", ", for example /", ",\"",
    ".1", "3", "6", ":80", "; write ", "<td>", "<td>#", "=\"", "><", "CGI", "H", "K", "M", "NAME", "O", "ON", "PHP",
    "PHP's ", "U", "X", "Y", "_timeout", "_timeout`)", "ac", "all ", "am", "and", "another ", "at ", "at mo", "behind ",
    "bo", "can ", "cannot ", "client", "co", "con", "configuration", "connect", "contro", "ct", "do", "doct", "el",
    "er than ", "ev", "fi", "field", "from ", "ht", "index", "larg", "li", "libmicrohttp", "list", "load", "make ",
    "many ", "may ", "may not ", "me", "only ", "op", "or ", "ort", "ose ", "ou", "ould ", "pag", "path", "plac", "pt",
    "queue", "refuse", "repl", "response", "s_", "se", "section", "see ", "server.", "server.user", "socke", "span",
    "status", "ther ", "there", "there is no ", "ti", "time", "tls_", "uch ", "und", "ur", "use", "ut", "value", "wait",
    "way", "wh", "what ", "without ", "work", "workers", "z", "}", "\"%e\"", "'", "+", ",", "--", "--bud", "-fpm",
    ".soc", "5", "8", "80", "9", ": %", "</h2><", "B", "G", "HTTP", "V", "W", "absolute path", "ack", "ad", "add",
    "ame", "an", "ang", "ation", "back", "ch ", "chang", "charac", "cor", "correct ", "ers", "ex", "exam", "exchang",
    "j", "memory_", "memory_ceil", "mi", "more ", "more than ", "numb", "of", "of ", "ol", "old", "open",
    "open_basedir", "other ", "pa", "ref", "ri", "ro", "room ", "runtime_dir", "section><h2>", "ser", "spawn", "than ",
    "ther", "there is ", "tion", "tl", "um", "unix", "val", "who", "whoever ", "writ", "write ", "{", "~", "(see ",
    "-f", "7", "Q", "and ", "byt", "config", "cont", "ction", "for example ", "he", "http", "ind", "ld ", "mak", "onl",
    "pm", "po", "q", "th>", "timeout", "tp", "wor", "(", "@", "ab", "bud", "fold", "lib", "man", "ong", "pl", "que",
    "rect ", "req", "roo", "section><", "spa", "with", "wr", "&", "J", "ME", "\\", "ase", "beh", "dir", "gro", "ind ",
    "lar", "max", "mic", "respon", "sol", "stat", "time_", "!", "$", "%e\"", ";", "<t", "= ", "GI", "NA", "PH", "TT",
    "TTP", "Z", "^", "addres", "answ", "bod", "can", "cg", "char", "cli", "conne", "cri", "d>", "et", "fcg", "fcgat",
    "fiel", "fig", "for exam", "fro", "h2", "h2><", "ith", "m ", "memor", "memory_ce", "microhttp", "mor", "oc",
    "open_", "open_b", "open_base", "out ", "ph", "ple ", "r><", "r><th>", "rec", "res", "resp", "rohttp", "scri",
    "se ", "section><h2", "soc", "solute path", "star", "sw", "ta", "time_dir", "ue", "uest", "umb", "uni", "uration",
    "ute ", "ute path", "wa", "whoev", "wn", "yt", "|",
};
// clang-format on

}  // namespace fcgate::packing
