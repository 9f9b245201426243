// The tables of `scale` that only the model can make: what a failure costs under each scheme, who
// takes part in a checkpoint by how much has been paid, and what FIFO channels would be needed for.
#pragma once

#include "simulator/scale/report.h"

namespace p2pbank::simulator::scale {

Table recovery_table(const Settings& settings);
Table participation_table(const Settings& settings);
Table overtaking_table();

}  // namespace p2pbank::simulator::scale
