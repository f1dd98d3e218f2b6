#!/bin/sh
# Run by the continuous integration of the packages feed: test.sh PACKAGE VERSION
case "$1" in
fcgate) fcgate --version 2>&1 | grep -F "fcgate $2" ;;
esac
