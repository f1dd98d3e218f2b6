/* Included before inih's source: fcgate gives it line after line, so that ini_parse() is for nothing, and with it the C library's streams would come
   along. Written for fcgate. */
#include <stdio.h>

#define fopen(name, mode) ((FILE*)0)
#define fgets NULL
