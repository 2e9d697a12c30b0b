// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

// Command constant serves the provider of package baseline.
package main

import (
	"context"
	"log"
	"os"

	framework "github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/ixtoken/terraform-provider-ixtoken/tools/bench/baseline"
)

func main() {
	asks := os.Getenv("BENCH_ASK") != ""
	err := providerserver.Serve(context.Background(), func() framework.Provider { return baseline.New(asks) },
		providerserver.ServeOpts{Address: "providers.example/ixtoken/ixtoken"})
	if err != nil {
		log.Fatal(err)
	}
}
