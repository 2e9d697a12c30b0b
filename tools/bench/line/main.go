// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command line prints a line: the least that a program can do.
package main

import "fmt"

func main() { fmt.Println("a line") }
