// Copyright (c) The ixtoken authors
// SPDX-License-Identifier: MPL-2.0

package cache

import (
	"encoding/json"
	"strings"
)

// policy is an IAM policy.
type policy struct {
	Version   string      `json:"Version"`
	Statement []statement `json:"Statement"`
}

// statement is a statement of an IAM policy.
type statement struct {
	ID        string   `json:"Sid"`
	Effect    string   `json:"Effect"`
	Action    []string `json:"Action"`
	Resource  string   `json:"Resource"`
	Condition any      `json:"Condition,omitempty"`
}

// Policy returns the IAM policy, as JSON, that lets a role share tokens under the prefix, and no more. Only "cache list" and
// "cache clear" need the right to list. If-Match needs s3:GetObject beside s3:PutObject
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
func (l Location) Policy() string {
	bucket := "arn:" + l.partition() + ":s3:::" + l.Bucket
	statements := []statement{
		{ID: "ShareTokens", Effect: "Allow", Action: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, Resource: bucket + "/" + l.Prefix + "*"},
		{ID: "ListTokens", Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: bucket},
	}
	if l.Prefix != "" {
		statements[1].Condition = map[string]any{"StringLike": map[string]string{"s3:prefix": l.Prefix + "*"}}
	}
	if strings.HasPrefix(l.KMSKey, "arn:") {
		statements = append(statements, statement{ID: "SealTokens", Effect: "Allow", Action: []string{"kms:GenerateDataKey", "kms:Decrypt"}, Resource: l.KMSKey})
	}
	text, _ := json.MarshalIndent(policy{"2012-10-17", statements}, "", "  ") // it has no value that JSON does not know
	return string(text) + "\n"
}

// partition returns the part of AWS that the region belongs to.
func (l Location) partition() string {
	switch {
	case strings.HasPrefix(l.Region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(l.Region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
