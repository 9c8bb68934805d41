package calendar

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	cal "github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/ar"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/bg"
	"github.com/rickar/cal/v2/br"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/cz"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/gr"
	"github.com/rickar/cal/v2/hr"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/jp"
	"github.com/rickar/cal/v2/lt"
	"github.com/rickar/cal/v2/lv"
	"github.com/rickar/cal/v2/mw"
	"github.com/rickar/cal/v2/nc"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/nz"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/ro"
	"github.com/rickar/cal/v2/ru"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/si"
	"github.com/rickar/cal/v2/sk"
	"github.com/rickar/cal/v2/ua"
	"github.com/rickar/cal/v2/us"
	"github.com/rickar/cal/v2/za"
)

func init() {
	cal.DefaultLoc = time.UTC // its dates would begin in the zone of the machine, and may not exist there
}

// holidays are the library's lists. The empty region is the whole country; where the library has no list of what all
// regions share there is none.
var holidays = map[string]map[string][]*cal.Holiday{
	"AR": {"": ar.Holidays},
	"AT": {"": at.Holidays},
	"AU": {
		"ACT": au.HolidaysACT, "NSW": au.HolidaysNSW, "NT": au.HolidaysNT, "QLD": au.HolidaysQLD,
		"SA": au.HolidaysSA, "TAS": au.HolidaysTAS, "VIC": au.HolidaysVIC, "WA": au.HolidaysWA,
	},
	"BE": {"": be.Holidays},
	"BG": {"": bg.Holidays},
	"BR": {"": br.Holidays},
	"CA": {"": ca.Holidays},
	"CH": { // the library's list of the country holds what any canton celebrates
		"AG": ch.HolidaysAG, "AI": ch.HolidaysAI, "AR": ch.HolidaysAR, "BE": ch.HolidaysBE, "BL": ch.HolidaysBL,
		"BS": ch.HolidaysBS, "FR": ch.HolidaysFR, "GE": ch.HolidaysGE, "GL": ch.HolidaysGL, "GR": ch.HolidaysGR,
		"JU": ch.HolidaysJU, "LU": ch.HolidaysLU, "NE": ch.HolidaysNE, "NW": ch.HolidaysNW, "OW": ch.HolidaysOW,
		"SG": ch.HolidaysSG, "SH": ch.HolidaysSH, "SO": ch.HolidaysSO, "SZ": ch.HolidaysSZ, "TG": ch.HolidaysTG,
		"TI": ch.HolidaysTI, "UR": ch.HolidaysUR, "VD": ch.HolidaysVD, "VS": ch.HolidaysVS, "ZG": ch.HolidaysZG,
		"ZH": ch.HolidaysZH,
	},
	"CZ": {"": cz.Holidays},
	"DE": {
		"": de.Holidays, "BB": de.HolidaysBB, "BE": de.HolidaysBE, "BW": de.HolidaysBW, "BY": de.HolidaysBY,
		"HB": de.HolidaysHB, "HE": de.HolidaysHE, "HH": de.HolidaysHH, "MV": de.HolidaysMV, "NI": de.HolidaysNI,
		"NW": de.HolidaysNW, "RP": de.HolidaysRP, "SH": de.HolidaysSH, "SL": de.HolidaysSL, "SN": de.HolidaysSN,
		"ST": de.HolidaysST, "TH": de.HolidaysTH,
	},
	"DK": {"": dk.Holidays},
	"ES": {"": es.Holidays},
	"FR": {"": fr.Holidays},
	"GB": {"": gb.Holidays},
	"GR": {"": gr.Holidays},
	"HR": {"": hr.Holidays},
	"IE": {"": ie.Holidays},
	"IT": {"": it.Holidays},
	"JP": {"": jp.Holidays},
	"LT": {"": lt.Holidays},
	"LV": {"": lv.Holidays},
	"MW": {"": mw.Holidays},
	"NC": {"": nc.Holidays},
	"NL": {"": nl.Holidays},
	"NO": {"": no.Holidays},
	"NZ": {"": nz.Holidays},
	"PL": {"": pl.Holidays},
	"RO": {"": ro.Holidays},
	"RU": {"": ru.Holidays},
	"SE": {"": se.Holidays},
	"SI": {"": si.Holidays},
	"SK": {"": sk.Holidays},
	"UA": {"": ua.Holidays},
	"US": {"": us.Holidays},
	"ZA": {"": za.Holidays},
}

// Countries lists the countries whose holidays are known, by ISO 3166-1.
func Countries() []string { return slices.Sorted(maps.Keys(holidays)) }

// Regions lists the regions of a country whose holidays are known.
func Regions(country string) []string {
	names := slices.Sorted(maps.Keys(holidays[country]))
	return slices.DeleteFunc(names, func(s string) bool { return s == "" })
}

// lists returns the holidays of the country; an error says what there is instead.
func (c *Country) list() ([]*cal.Holiday, error) {
	regions, ok := holidays[c.Code]
	if !ok {
		return nil, fmt.Errorf("holidays of %q are not known: there are %s; others come as an .ics file", c.Code, strings.Join(Countries(), ", "))
	}
	list, ok := regions[c.Region]
	switch {
	case ok:
		return list, nil
	case c.Region == "":
		return nil, fmt.Errorf("holidays of %s are known by region only: set region to one of %s", c.Code, strings.Join(Regions(c.Code), ", "))
	case len(Regions(c.Code)) == 0:
		return nil, fmt.Errorf("regions of %s are not known: leave region out, and list the others as dates or an .ics file", c.Code)
	}
	return nil, fmt.Errorf("region %q of %s is not known: there are %s", c.Region, c.Code, strings.Join(Regions(c.Code), ", "))
}

// Check reports whether the holidays are known.
func (c *Country) Check() error {
	_, err := c.list()
	return err
}

// each calls f with every holiday, and with the day that is taken off instead when it falls on a weekend.
func (c *Country) each(f func(Day)) error {
	list, err := c.list()
	if err != nil {
		return err
	}
	for _, h := range list {
		for year := firstYear - 1; year <= endYear; year++ { // a neighbouring year's New Year may be taken off in this one
			actual, observed := h.Calc(year)
			if actual.IsZero() {
				continue
			}
			f(DayOf(actual.Date()))
			if !observed.IsZero() {
				f(DayOf(observed.Date()))
			}
		}
	}
	return nil
}
