// Whether others than the person who runs the program can get at its files. Used before a file is
// opened, by Store, HistoryStart, keys and the mains.
//
// What is not there is not too open. Error too-open: the message says what is wrong, and with which
// command it is mended. A file belongs to us when it belongs to whom the program runs as, or to
// root, who could read it anyway. Links are followed: what counts is what they lead to.
#pragma once

#include <string>

#include "common/base/result.h"

namespace p2pbank {

// A folder into which nobody else may look: the state of an account.
Result<void> check_private_folder(const std::string& path);
// A file that nobody else may read or write: key, journal, history, key log.
Result<void> check_private_file(const std::string& path);
// The same for a file that a person has named to be written, a recording or a log of keys. Errors
// beside: bad-file, what is no file, a folder or a device: those are not ours to change.
Result<void> check_named_file(const std::string& path);
// A file that others may read, or a folder into which they may look, but in which they may change
// nothing: the table of accounts, the folders of all accounts and of the table. A folder in which
// everybody may make files, but not touch those of others (/tmp), will do.
Result<void> check_not_writable_by_others(const std::string& path);

}  // namespace p2pbank
