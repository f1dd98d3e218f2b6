// Compiled once for all integration tests; see src/precompiled/core.hpp.
#include "integration/scene.hpp"
#include "precompiled/core.hpp"
