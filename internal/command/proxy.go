// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package command

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ixtoken/terraform-provider-ixtoken/internal/apiproxy"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/clients"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/platforms"
	"github.com/ixtoken/terraform-provider-ixtoken/internal/proxy"
)

func (c *invocation) proxyCommand() *cobra.Command {
	return c.perPlatform("proxy PLATFORM [flags] [-- COMMAND…]", "Forwards requests to an API, each with a valid token",
		"Listens on this machine, forwards requests to an API, and adds a valid access token to each request.\nA command that runs for hours then needs no token of its own.",
		func(p platforms.Platform) *cobra.Command {
			cmd := &cobra.Command{
				Use: p.Name + " [flags] [-- COMMAND…]", Short: p.Title, DisableFlagsInUseLine: true,
				Long: "Listens on this machine, forwards requests to an API of " + p.Title + ", and adds a valid access token to each request.\n\n" +
					"With a command, " + urlName("", p) + " holds the proxy's URL for it, and the proxy ends with the command. Without a\ncommand, the proxy prints its URL and runs until you interrupt it. The URL is a secret: every program of this machine\nthat knows it can use the API.",
			}
			var variable string
			var strict, keep bool
			set := pflag.NewFlagSet("", pflag.ContinueOnError)
			set.StringVar(&variable, "variable", "", "The `NAME` of the variable that holds the URL. Default: "+urlName("", p)+".")
			addStrict(set, &strict)
			addKeepCredentials(set, &keep)
			cmd.Flags().AddFlagSet(set)
			setGroup(cmd, "Proxy options", set)
			f := settingsFlags(cmd, p.Proxy())
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				path := ""
				if len(args) > 0 || cmd.ArgsLenAtDash() >= 0 {
					var err error
					if path, err = commandAfterDash(cmd, args); err != nil {
						return err
					}
				}
				if err := checkVariable(cmd, urlName(variable, p)); err != nil {
					return err
				}
				ctx := cmd.Context()
				started, err := c.startProxy(ctx, f, p, strict)
				if err != nil {
					return err
				}
				if path == "" {
					err = c.printURLAndWait(ctx, started)
				} else {
					err = c.runChild(ctx, path, args, c.childEnvironment([]platforms.Platform{p}, keep, []string{urlName(variable, p) + "=" + started.URL().Reveal()}))
				}
				if refusals := started.Close(); refusals > 0 {
					c.printMessages(p.RemarkOnRefusals(refusals))
				}
				return err
			}
			return cmd
		})
}

// urlName returns the name of the variable that holds the proxy's URL: name, or the default if name is empty.
func urlName(name string, p platforms.Platform) string {
	return cmp.Or(name, strings.ToUpper(p.Name)+"_API_URL")
}

// printURLAndWait prints the proxy's URL and waits until ctx ends.
func (c *invocation) printURLAndWait(ctx context.Context, started *proxy.Proxy) error {
	if err := c.printResult(started.URL().Reveal() + "\n"); err != nil {
		return err
	}
	<-ctx.Done()
	return &failure{status: statusInterrupted}
}

// startProxy obtains the first token and starts the proxy. The end of ctx, such as Ctrl-C, ends only the wait for the first
// token. It does not stop the proxy, because the command may need the API to clean up.
func (c *invocation) startProxy(ctx context.Context, f *flags, p platforms.Platform, strict bool) (*proxy.Proxy, error) {
	targets, err := c.resolve(ctx, f, []platforms.Platform{p.Proxy()})
	if err != nil {
		return nil, err
	}
	t := targets[0]
	options := c.options(t, nil)
	client := clients.New(options)
	first, err := c.token(ctx, client, t, strict)
	if err != nil {
		return nil, err
	}
	started, err := apiproxy.Start(context.WithoutCancel(ctx), apiproxy.Options{
		Platform: p, Settings: t.found, Terms: t.terms, Client: client, First: first, RootCAs: options.RootCAs,
	})
	if err != nil {
		return nil, &failure{statusFailed, []platforms.Message{t.ExplainNoListener(err)}}
	}
	return started, nil
}
