// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command line prints a line. It measures the cost of starting a process.
package main

import "fmt"

func main() { fmt.Println("a line") }
