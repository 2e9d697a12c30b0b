// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Package oauth2servers tests oauth2_access_token against authorization servers that other people wrote. It is a module of
// its own, so that what these servers need is no requirement of the provider.
package oauth2servers
