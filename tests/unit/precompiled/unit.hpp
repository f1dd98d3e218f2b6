// Compiled once for all unit tests; see src/precompiled/core.hpp.
#include "precompiled/core.hpp"
#include "unit/test_support.hpp"
