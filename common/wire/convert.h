// Between the schema's messages and the types of common/base.
#pragma once

#include <optional>

#include <google/protobuf/repeated_field.h>

#include "common/base/ids.h"
#include "common/base/interval_set.h"
#include "common/base/money.h"
#include "common/wire/values.pb.h"

namespace p2pbank {

OperationId from_wire(const wire::OperationId& id);
void to_wire(const OperationId& id, wire::OperationId* out);

using WireLabels = google::protobuf::RepeatedField<uint64_t>;

// Labels above this are nonsense: nobody has sent so many.
inline constexpr uint64_t kMaxLabel = uint64_t(1) << 62;

void to_wire(const IntervalSet& set, WireLabels* out);
// A stretch of the set's intervals: `count` of them at most, starting with index `begin`.
void to_wire(const IntervalSet& set, size_t begin, size_t count, WireLabels* out);
// Nothing for what is no set of labels.
std::optional<IntervalSet> from_wire(const WireLabels& labels);

}  // namespace p2pbank
