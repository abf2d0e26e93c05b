// RUN: quern-opt %s --exec-pack-panels=rows=1 --verify-diagnostics

// expected-error @below {{rows: expected 0 or at least 2, found 1}}
module {
}
