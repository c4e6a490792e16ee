// Logs in a folder of a test.
#pragma once

#include "log/log_places.hpp"
#include "temporary_folder.hpp"

inline thole::LogPlaces places_in(const TemporaryFolder& folder) {
    thole::LogPlaces places;
    places.files = folder.path() + "/files";
    places.rings = folder.path() + "/rings";
    places.kernel = folder.path() + "/kmsg";
    return places;
}
