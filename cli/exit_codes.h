// What an exit status of hark means; man/hark.1 lists them.
#pragma once

namespace hark::exit_code {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;         // the work failed
inline constexpr int kUsage = 2;
inline constexpr int kUnreachable = 69;   // no daemon (sysexits.h: EX_UNAVAILABLE)
inline constexpr int kOutput = 74;        // standard output could not be written (sysexits.h: EX_IOERR)
inline constexpr int kConfig = 78;        // sysexits.h: EX_CONFIG
inline constexpr int kSignal = 128;       // plus the signal's number

}  // namespace hark::exit_code
