// What the command does when it is told to end.
#pragma once

namespace cnnc::driver {

/// From here on SIGINT, SIGTERM and SIGHUP, unless they are ignored, remove the temporary files
/// before they end the process as they always do. To be called before there are other threads.
void clean_up_on_signals();

} // namespace cnnc::driver
