// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package process keeps the secrets in the memory of this process from other processes and from files, as far as the system
// supports it. The provider and the command use it.
package process
