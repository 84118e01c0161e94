package main

// The dashboard's JSON, as far as it is used: Grafana's classic schema, which
// version 13 still takes beside its own, and all since 9 read.

type dashboard struct {
	UID           string      `json:"uid"`
	Title         string      `json:"title"`
	Description   string      `json:"description"`
	Tags          []string    `json:"tags"`
	SchemaVersion int         `json:"schemaVersion"`
	Version       int         `json:"version"`
	Editable      bool        `json:"editable"`
	GraphTooltip  int         `json:"graphTooltip"` // 1: one crosshair over all panels
	Time          span        `json:"time"`
	Refresh       string      `json:"refresh"`
	Timezone      string      `json:"timezone"`
	Templating    templating  `json:"templating"`
	Annotations   annotations `json:"annotations"`
	Links         []any       `json:"links"`
	Panels        []panel     `json:"panels"`
}

type span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type templating struct {
	List []variable `json:"list"`
}

type variable struct {
	Name       string  `json:"name"`
	Label      string  `json:"label"`
	Type       string  `json:"type"` // "datasource", "query"
	Query      any     `json:"query"`
	Source     *source `json:"datasource,omitempty"`
	Refresh    int     `json:"refresh"` // 1: when the page is opened; 2: when its time changes
	Sort       int     `json:"sort"`    // 1: by the alphabet
	Hide       int     `json:"hide"`
	Multi      bool    `json:"multi"`
	IncludeAll bool    `json:"includeAll"`
	AllValue   string  `json:"allValue,omitempty"`
	Regex      string  `json:"regex"`
	Current    any     `json:"current,omitempty"`
	Options    []any   `json:"options"`
}

type annotations struct {
	List []annotation `json:"list"`
}

type annotation struct {
	Name        string         `json:"name"`
	Source      *source        `json:"datasource"`
	Enable      bool           `json:"enable"`
	IconColor   string         `json:"iconColor"`
	Target      annotationFrom `json:"target"`
	TitleFormat string         `json:"titleFormat"`
	TagKeys     string         `json:"tagKeys"`
}

type annotationFrom struct {
	RefID    string `json:"refId"`
	Expr     string `json:"expr"`
	Interval string `json:"interval"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description,omitempty"`
	Grid            grid             `json:"gridPos"`
	Source          *source          `json:"datasource,omitempty"`
	Targets         []target         `json:"targets,omitempty"`
	Fields          *fields          `json:"fieldConfig,omitempty"`
	Options         map[string]any   `json:"options,omitempty"`
	Transformations []transformation `json:"transformations,omitempty"`
	Collapsed       *bool            `json:"collapsed,omitempty"` // rows have it
	Panels          *[]panel         `json:"panels,omitempty"`    // likewise; none unless it is collapsed
}

type grid struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

type target struct {
	RefID   string  `json:"refId"`
	Source  *source `json:"datasource"`
	Expr    string  `json:"expr"`
	Legend  string  `json:"legendFormat"`
	Range   bool    `json:"range"`
	Instant bool    `json:"instant"`
	Format  string  `json:"format,omitempty"`
}

type fields struct {
	Defaults  defaults `json:"defaults"`
	Overrides []any    `json:"overrides"`
}

type defaults struct {
	Unit       string         `json:"unit,omitempty"`
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
	Color      *color         `json:"color,omitempty"`
	Custom     map[string]any `json:"custom,omitempty"`
	Mappings   []mapping      `json:"mappings,omitempty"`
	Thresholds *thresholds    `json:"thresholds,omitempty"`
}

type color struct {
	Mode string `json:"mode"`
}

type mapping struct {
	Type    string            `json:"type"` // "value"
	Options map[string]result `json:"options"`
}

type result struct {
	Text  string `json:"text"`
	Color string `json:"color"`
	Index int    `json:"index"`
}

type thresholds struct {
	Mode  string `json:"mode"` // "absolute"
	Steps []step `json:"steps"`
}

type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"` // null: from the lowest on
}

type transformation struct {
	ID      string         `json:"id"`
	Options map[string]any `json:"options"`
}
