package middentest

// RaceEnabled tells tests that they run under the race detector, where everything is slow.
const RaceEnabled = raceEnabled
