// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package platforms_test

import (
	"fmt"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
)

// A front end is a source of values. It looks up the settings of a platform, and has what to ask for.
func ExamplePlatform_Resolve() {
	given := map[string]string{"login_url": "https://login.example", "client_id": "client-1"}
	environment := map[string]string{"INTERXION_CLIENT_SECRET": "a-secret", "INTERXION_CLIENT_ID": "client-2"}
	found, bad := platforms.Interxion.Resolve(
		platforms.Source{Origin: "an example", Value: func(in platforms.Input) platforms.Value { return platforms.Text(given[in.Name], false) }},
		platforms.Environment(func(name string) string { return environment[name] }),
		platforms.Defaults(),
	)
	if len(bad.Missing)+len(bad.Invalid) > 0 {
		fmt.Println(bad)
		return
	}
	for _, name := range []string{"client_id", "client_secret", "min_validity"} {
		fmt.Println(name, "from", found[name].From)
	}
	grant := platforms.Interxion.Grant(found) // for Client.Token
	endpoint, err := clients.New(clients.Options{}).Endpoint(grant)
	fmt.Println(endpoint, err)
	// Output:
	// client_id from an example
	// client_secret from the environment
	// min_validity from the default
	// login.example/connect/token <nil>
}
