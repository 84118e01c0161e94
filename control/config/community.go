package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Community is a BGP community: two parts of 16 bits (RFC 1997) or, if Large,
// three of 32 (RFC 8092).
type Community struct {
	Large bool
	Parts [3]uint32 // the third is 0 unless Large
}

// String gives "64512:100" or "64512:100:7".
func (c Community) String() string {
	s := fmt.Sprintf("%d:%d", c.Parts[0], c.Parts[1])
	if c.Large {
		s += fmt.Sprintf(":%d", c.Parts[2])
	}
	return s
}

// wellKnown are the communities that routers know by name.
var wellKnown = map[string]Community{
	"graceful-shutdown":   {Parts: [3]uint32{65535, 0}},     // RFC 8326
	"blackhole":           {Parts: [3]uint32{65535, 666}},   // RFC 7999
	"no-export":           {Parts: [3]uint32{65535, 65281}}, // RFC 1997, as the next two
	"no-advertise":        {Parts: [3]uint32{65535, 65282}},
	"no-export-subconfed": {Parts: [3]uint32{65535, 65283}},
}

func community(v *value) (Community, error) {
	s, err := text(v)
	if err != nil {
		return Community{}, err
	}
	if c, ok := wellKnown[s]; ok {
		return c, nil
	}
	parts := strings.Split(s, ":")
	c := Community{Large: len(parts) == 3}
	bits := 16
	if c.Large {
		bits = 32
	}
	ok := len(parts) == 2 || c.Large
	for i := 0; i < len(parts) && ok; i++ {
		n, err := strconv.ParseUint(parts[i], 10, bits)
		ok = err == nil
		c.Parts[i] = uint32(n)
	}
	if !ok {
		return Community{}, fmt.Errorf("%q is not a community: write \"64512:100\" (two numbers up to 65535), \"4200000000:1:2\" (three, large) or a name as \"no-export\"", s)
	}
	return c, nil
}
