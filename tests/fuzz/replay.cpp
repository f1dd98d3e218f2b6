// Runs a fuzz target once over files, and over all files of folders, without libFuzzer: every compiler can replay a corpus.
#include <dirent.h>
#include <sys/stat.h>

#include <cstring>

#include "fuzz.hpp"

namespace {

// The input ends where its memory ends: a read past it shows under the sanitizers.
bool replay_file(const char* path) {
    FILE* const file = fopen(path, "rb");
    struct stat status {};
    if (file == nullptr || fstat(fileno(file), &status) != 0) {
        perror(path);
        return false;
    }
    const auto size = static_cast<size_t>(status.st_size);
    auto* const bytes = static_cast<uint8_t*>(malloc(size > 0 ? size : 1));
    const bool whole = bytes != nullptr && fread(bytes, 1, size, file) == size;
    (void)fclose(file);
    if (whole) {
        (void)LLVMFuzzerTestOneInput(bytes, size);
    }
    free(bytes);
    return whole;
}

int replay_folder(const char* path) {
    DIR* const folder = opendir(path);
    if (folder == nullptr) {
        return replay_file(path) ? 1 : -1;
    }
    int count = 0;
    while (const dirent* const entry = readdir(folder)) {
        fcgate::Text<4096> name;
        name.append(path).append('/').append(entry->d_name);
        if (entry->d_name[0] != '.') {
            (void)printf("%s\n", name.c_str());
            (void)fflush(stdout);
            if (!replay_file(name.c_str())) {
                count = -1;
                break;
            }
            ++count;
        }
    }
    closedir(folder);
    return count;
}

}  // namespace

int main(int count, char** arguments) {
    for (int i = 1; i < count; ++i) {
        if (replay_folder(arguments[i]) <= 0) {
            (void)fprintf(stderr, "%s: nothing replayed\n", arguments[i]);
            return 1;
        }
    }
    return 0;
}
