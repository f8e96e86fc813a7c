"""The rules of the house: pure types and functions that know neither files, networks, clocks nor vendors."""
